/* layout.c -- see layout.h.
 * SPDX-License-Identifier: MIT  */
#include "graph/layout.h"

#include <string.h>

static const struct kind {
    const char *name;
    enum precision precision;
    int grouped, nhwc;
} kinds[] = {
    [LAYOUT_PLAIN] = {"plain", PRECISION_FP32, 0, 0},
    [LAYOUT_C16] = {"c16", PRECISION_FP32, 1, 0},
    [LAYOUT_C16H] = {"c16-bf16", PRECISION_BF16, 1, 0},
    [LAYOUT_NHWC] = {"nhwc", PRECISION_FP32, 0, 1},
    [LAYOUT_NHWCH] = {"nhwc-bf16", PRECISION_BF16, 0, 1},
    [LAYOUT_PLAINH] = {"plain-bf16", PRECISION_BF16, 0, 0},
    [LAYOUT_NHWC_F16] = {"nhwc-fp16", PRECISION_FP16, 0, 1},
    [LAYOUT_PLAIN_F16] = {"plain-fp16", PRECISION_FP16, 0, 0},
};

const char *layout_name(enum layout l)
{
    return kinds[l].name;
}

enum precision layout_precision(enum layout l)
{
    return kinds[l].precision;
}

static int64_t groups_of_image(const struct shape *s)
{
    return (s->dim[1] + LANES - 1) / LANES;
}

int layout_is_narrow(enum layout l)
{
    return kinds[l].precision != PRECISION_FP32;
}

int layout_is_grouped(enum layout l)
{
    return kinds[l].grouped;
}

enum layout layout_plain(enum precision p)
{
    static const enum layout plain[] = {LAYOUT_PLAIN, LAYOUT_PLAINH,
                                        LAYOUT_PLAIN_F16};

    return plain[p];
}

enum layout layout_nhwc(enum precision p)
{
    static const enum layout nhwc[] = {LAYOUT_NHWC, LAYOUT_NHWCH,
                                       LAYOUT_NHWC_F16};

    return nhwc[p];
}

int layout_axis(enum layout l, int rank, int k)
{
    static const int nhwc[] = {0, 2, 3, 1};

    return kinds[l].nhwc && rank == 4 ? nhwc[k] : k;
}

enum dtype layout_dtype(enum layout l, enum dtype dt)
{
    static const enum dtype kept[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};

    return dt == DTYPE_F32 ? kept[kinds[l].precision] : dt;
}

int64_t layout_groups(const struct shape *s)
{
    return s->dim[0] * groups_of_image(s);
}

struct shape layout_shape(enum layout l, const struct shape *s)
{
    struct shape r = *s;

    if (layout_is_grouped(l))
        r.dim[1] = groups_of_image(s) * LANES;
    return r;
}

/* One pixel's channels stand in a row in all of them, if groups are full.  */
int layout_same(enum layout a, enum layout b, const struct shape *s)
{
    if (s->rank != 4)
        return kinds[a].precision == kinds[b].precision;
    return a == b || (!layout_is_narrow(a) && !layout_is_narrow(b) &&
                      s->dim[2] * s->dim[3] == 1 &&
                      (s->dim[1] % LANES == 0 ||
                       !(layout_is_grouped(a) || layout_is_grouped(b))));
}

/* The channels of one group: where they begin in a plain value, how many.  */
struct group {
    int64_t at, channels, area;
};

static struct group group_of(const struct shape *s, int64_t g)
{
    const int64_t per = groups_of_image(s), c = g % per * LANES;
    struct group r = {.area = s->dim[2] * s->dim[3]};

    r.channels = s->dim[1] - c < LANES ? s->dim[1] - c : LANES;
    r.at = (g / per * s->dim[1] + c) * r.area;
    return r;
}

/* clang-format off */
#define COPIES(type)                                                                         \
    static void block_##type(const struct group *r, const type *x, type *y)                  \
    {                                                                                        \
        for (int64_t p = 0; p < r->area; p++, y += LANES)                                    \
            for (int64_t c = 0; c < LANES; c++)                                              \
                y[c] = c < r->channels ? x[c * r->area + p] : 0;                             \
    }                                                                                        \
    static void unblock_##type(const struct group *r, const type *y, type *x)                \
    {                                                                                        \
        for (int64_t c = 0; c < r->channels; c++)                                            \
            for (int64_t p = 0; p < r->area; p++)                                            \
                x[c * r->area + p] = y[p * LANES + c];                                       \
    }
/* clang-format on */

COPIES(uint8_t)
COPIES(uint16_t)
COPIES(uint32_t)

void layout_block(const struct shape *s, size_t size, const void *plain,
                  void *blocked, int64_t from, int64_t end)
{
    for (int64_t g = from; g < end; g++) {
        const struct group r = group_of(s, g);
        const char *x = (const char *)plain + (size_t)r.at * size;
        char *y = (char *)blocked + (size_t)(g * r.area * LANES) * size;

        if (size == 1)
            block_uint8_t(&r, (const void *)x, (void *)y);
        else if (size == 2)
            block_uint16_t(&r, (const void *)x, (void *)y);
        else
            block_uint32_t(&r, (const void *)x, (void *)y);
    }
}

void layout_unblock(const struct shape *s, size_t size, const void *blocked,
                    void *plain, int64_t from, int64_t end)
{
    for (int64_t g = from; g < end; g++) {
        const struct group r = group_of(s, g);
        const char *y =
            (const char *)blocked + (size_t)(g * r.area * LANES) * size;
        char *x = (char *)plain + (size_t)r.at * size;

        if (size == 1)
            unblock_uint8_t(&r, (const void *)y, (void *)x);
        else if (size == 2)
            unblock_uint16_t(&r, (const void *)y, (void *)x);
        else
            unblock_uint32_t(&r, (const void *)y, (void *)x);
    }
}
