/* blocked.c -- see blocked.h.
 * SPDX-License-Identifier: MIT  */
#include "blocked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "guard.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

/* What layout L stores of T, and its size.  */
static size_t number_size(enum layout l, const struct tensor *t)
{
    return dtype_size(layout_dtype(l, t->dtype));
}

static size_t stored_bytes(enum layout l, const struct tensor *t)
{
    const struct shape s = layout_shape(l, &t->shape);

    return (size_t)shape_count(&s) * number_size(l, t);
}

static int is_blocked(enum layout l, const struct tensor *t)
{
    return l != LAYOUT_PLAIN && t->data && t->shape.rank == 4;
}

static void put_number(size_t size, void *to, float v)
{
    const uint16_t h = f32_to_bf16(v);

    if (size == sizeof h)
        memcpy(to, &h, size);
    else
        memcpy(to, &v, size);
}

static float get_number(size_t size, const void *from)
{
    uint16_t h;
    float v;

    memcpy(size == sizeof h ? (void *)&h : &v, from, size);
    return size == sizeof h ? bf16_to_f32(h) : v;
}

/* Where element I, as it is stored, belongs: its place in plain T, or -1 behind
 * the last channel.  */
static int64_t plain_place(const struct tensor *t, int64_t i)
{
    const int64_t *dim = t->shape.dim, area = dim[2] * dim[3];
    const int64_t per = (dim[1] + LANES - 1) / LANES, pixel = i / LANES;
    const int64_t group = pixel / area, c = group % per * LANES + i % LANES;

    return c < dim[1] ? (group / per * dim[1] + c) * area + pixel % area : -1;
}

void blocked_make(struct tensor *t, enum layout l, int data)
{
    const size_t size = number_size(l, t), bytes = stored_bytes(l, t);
    char *p;

    if (!is_blocked(l, t))
        return;
    p = guard_nan(bytes);
    for (size_t i = 0; data && i < bytes / size; i++) {
        const int64_t at = plain_place(t, (int64_t)i);

        if (t->dtype != DTYPE_F32)
            memcpy(p + i * size,
                   (char *)t->data + (size_t)(at < 0 ? 0 : at) * size, size);
        else
            put_number(size, p + i * size,
                       at < 0 ? 77 : ((float *)t->data)[at]);
    }
    t->data = p;
    t->dtype = layout_dtype(l, t->dtype);
}

void blocked_back(const struct tensor *t, enum layout l, void *blocked)
{
    const size_t size = number_size(l, t), bytes = stored_bytes(l, t);
    const char *p = blocked;

    if (blocked == t->data)
        return;
    for (size_t i = 0; i < bytes / size; i++, p += size) {
        const int64_t at = plain_place(t, (int64_t)i);

        if (at < 0)
            assert_true(t->dtype != DTYPE_F32 || isfinite(get_number(size, p)));
        else if (t->dtype != DTYPE_F32)
            memcpy((char *)t->data + (size_t)at * size, p, size);
        else
            ((float *)t->data)[at] = get_number(size, p);
    }
    guard_free(blocked);
}

void blocked_free(const struct tensor *t, enum layout l)
{
    if (is_blocked(l, t))
        guard_free(t->data);
}
