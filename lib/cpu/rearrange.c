/* rearrange.c -- a value from one layout to another, by threads.
 * SPDX-License-Identifier: MIT  */
#include "cpu/rearrange.h"

#include <string.h>

#include "base/thread.h"

struct job {
    const struct tensor *x, *y;
    enum layout from, to;
    int64_t groups, per_task;
};

enum { TASK_BYTES = 64 << 10 };

/* ---- numbers of 16 bits ---- */

/* The channels of group G of a plain value, and where they begin.  */
struct plain {
    const struct job *j;
    int64_t at, channels, area;
};

static struct plain plain_of(const struct job *j, int64_t g)
{
    const int64_t *dim = j->x->shape.dim, per = (dim[1] + LANES - 1) / LANES;
    const int64_t c = g % per * LANES, area = dim[2] * dim[3];

    return (struct plain){j, (g / per * dim[1] + c) * area, dim[1] - c < LANES ? dim[1] - c : LANES,
                          area};
}

static void plain_to_narrow(const struct job *j, int64_t g)
{
    const struct plain p = plain_of(j, g);
    const float *x = (const float *)j->x->data + p.at;
    uint16_t *y = (uint16_t *)j->y->data + g * p.area * LANES;

    for (int64_t i = 0; i < p.area; i++, y += LANES)
        for (int64_t c = 0; c < LANES; c++)
            y[c] = c < p.channels ? f32_to_bf16(x[c * p.area + i]) : 0;
}

static void narrow_to_plain(const struct job *j, int64_t g)
{
    const struct plain p = plain_of(j, g);
    const uint16_t *x = (const uint16_t *)j->x->data + g * p.area * LANES;
    float *y = (float *)j->y->data + p.at;

    for (int64_t c = 0; c < p.channels; c++)
        for (int64_t i = 0; i < p.area; i++)
            y[c * p.area + i] = bf16_to_f32(x[i * LANES + c]);
}

static void wide_to_narrow(const struct job *j, int64_t g)
{
    const int64_t n = plain_of(j, g).area * LANES;
    const float *x = (const float *)j->x->data + g * n;
    uint16_t *y = (uint16_t *)j->y->data + g * n;

    for (int64_t i = 0; i < n; i++)
        y[i] = f32_to_bf16(x[i]);
}

static void narrow_to_wide(const struct job *j, int64_t g)
{
    const int64_t n = plain_of(j, g).area * LANES;
    const uint16_t *x = (const uint16_t *)j->x->data + g * n;
    float *y = (float *)j->y->data + g * n;

    for (int64_t i = 0; i < n; i++)
        y[i] = bf16_to_f32(x[i]);
}

/* ---- groups ---- */

static void block(const struct job *j, int64_t g)
{
    layout_block(&j->x->shape, dtype_size(j->x->dtype), j->x->data, j->y->data, g, g + 1);
}

static void unblock(const struct job *j, int64_t g)
{
    layout_unblock(&j->x->shape, dtype_size(j->x->dtype), j->x->data, j->y->data, g, g + 1);
}

/* From one blocked layout to another that stores the same numbers.  */
static void copy(const struct job *j, int64_t g)
{
    const size_t bytes = (size_t)(plain_of(j, g).area * LANES) * dtype_size(j->x->dtype);

    memcpy((char *)j->y->data + (size_t)g * bytes, (char *)j->x->data + (size_t)g * bytes, bytes);
}

typedef void group_fn(const struct job *j, int64_t g);

static void copy_task(void *job, int64_t task, int thread)
{
    static group_fn *const by[][3] = {
        [LAYOUT_PLAIN] = {NULL, block, plain_to_narrow},
        [LAYOUT_C16] = {unblock, copy, wide_to_narrow},
        [LAYOUT_C16H] = {narrow_to_plain, narrow_to_wide, NULL},
    };
    const struct job *j = job;
    const int64_t at = task * j->per_task;
    const int64_t end = at + j->per_task < j->groups ? at + j->per_task : j->groups;

    (void)thread;
    for (int64_t g = at; g < end; g++)
        by[j->from][j->to](j, g);
}

/* Numbers other than f32 lie in C16H as in C16.  */
static enum layout blocked_as(enum layout l, const struct tensor *t)
{
    return l == LAYOUT_C16H && t->dtype != DTYPE_BF16 ? LAYOUT_C16 : l;
}

void rearrange(const struct device *d, const struct tensor *x, enum layout from,
               const struct tensor *y, enum layout to, struct pool *pool)
{
    struct job j = {x, y, blocked_as(from, x), blocked_as(to, y), layout_groups(&x->shape), 1};
    const int64_t bytes = (int64_t)tensor_bytes(x) / j.groups;

    (void)d;
    if (bytes < TASK_BYTES)
        j.per_task = TASK_BYTES / (bytes ? bytes : 1);
    pool_run(pool, (j.groups + j.per_task - 1) / j.per_task, copy_task, &j);
}
