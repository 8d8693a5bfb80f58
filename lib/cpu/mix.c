/* mix.c -- samples joined in pairs, on several threads.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/thread.h"
#include "cpu/kernels.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { X, PAIR, SHARE, BOX };

struct mix {
    int64_t count, planes, h, w; /* samples; planes of each */
    const float *x, *share;
    float *y;
    const int64_t *pair, *box; /* box NULL: all of the plane */
};

/* N numbers, as lib/op/mix.c joins them, to the bit.  */
static void join(float *y, const float *own, const float *other, float share, int64_t n)
{
    const double s = share, rest = 1 - share;

    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(s * own[i] + rest * other[i]);
}

static int64_t within(int64_t i, int64_t end)
{
    return i < 0 ? 0 : i < end ? i : end;
}

static void plane_task(void *mix, int64_t task, int thread)
{
    const struct mix *m = mix;
    const int64_t n = task / m->planes, area = m->h * m->w;
    const int64_t pair = m->pair[n] >= 0 && m->pair[n] < m->count ? m->pair[n] : n;
    const float *own = m->x + task * area, *other = own + (pair - n) * m->planes * area;
    const int64_t whole[] = {0, 0, m->h, m->w}, *box = m->box ? m->box + 4 * n : whole;
    const int64_t left = within(box[1], m->w), right = within(box[3], m->w);
    float *y = m->y + task * area;

    (void)thread;
    memcpy(y, own, (size_t)area * sizeof *y);
    for (int64_t r = within(box[0], m->h); r < within(box[2], m->h) && left < right; r++)
        join(y + r * m->w + left, own + r * m->w + left, other + r * m->w + left, m->share[n],
             right - left);
}

static void run(const struct kernel_args *a)
{
    const struct tensor *x = &a->op.in[X];
    const int box = (int)attr_int(a->op.node, "box");
    struct mix m = {.count = x->shape.dim[0], .planes = 1, .h = 1};

    if (!tensor_count(x))
        return;
    m.w = tensor_count(x) / m.count;
    if (box) {
        m.planes = x->shape.dim[1];
        m.h = x->shape.dim[2];
        m.w = x->shape.dim[3];
        m.box = a->op.in[BOX].data;
    }
    m.x = x->data;
    m.pair = a->op.in[PAIR].data;
    m.share = a->op.in[SHARE].data;
    m.y = a->op.out[0].data;
    pool_run(a->pool, m.count * m.planes, plane_task, &m);
}

const struct kernel mix_kernels[] = {
    {.name = "mix",
     .op = "mix",
     .dir = DIR_FORWARD,
     .dtypes = 1 << DTYPE_F32 | 1 << DTYPE_I64,
     .run = run},
    {0},
};
