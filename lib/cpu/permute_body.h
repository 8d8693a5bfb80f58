/* permute_body.h -- axes in another order: transpose, tokens; compiled once
 * per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Axes that stay together are one.  Then either the last one stays, and runs
 * of it are copied, or it changes places with another, and matrices of the two
 * are turned in blocks.  */
#include <string.h>

#include "base/thread.h"
#include "cpu/kernels.h"
#include "cpu/transpose.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { STRIP = 64, RUN = 4096 };

/* y, whole, by its axes: their sizes, how far apart their elements lie in x
 * and in y.  */
struct permute {
    int rank;
    int64_t size[SHAPE_MAX], from[SHAPE_MAX], to[SHAPE_MAX];
    const float *x;
    float *y;
    int turned;             /* the axis of y that is the last of x; -1: it stays */
    int64_t strips, groups; /* strips of a matrix, or of all runs; matrices */
};

/* One more axis in front of those that are there, or part of the first.  */
static void add_axis(struct permute *p, int64_t size, int64_t from)
{
    if (size == 1)
        return;
    if (p->rank && from == p->size[0] * p->from[0]) {
        p->size[0] *= size;
        return;
    }
    memmove(p->size + 1, p->size, (size_t)p->rank * sizeof *p->size);
    memmove(p->from + 1, p->from, (size_t)p->rank * sizeof *p->from);
    p->size[0] = size;
    p->from[0] = from;
    p->rank++;
}

/* Axis i of y is axis PERM[i] of x, whose sizes are DIM.  */
static struct permute permute_of(int rank, const int64_t *dim, const int64_t *perm)
{
    struct permute p = {.turned = -1, .strips = 1, .groups = 1};
    int64_t stride[SHAPE_MAX], step = 1;

    for (int i = rank - 1; i >= 0; step *= dim[i--])
        stride[i] = step;
    for (int i = rank - 1; i >= 0; i--)
        add_axis(&p, dim[perm[i]], stride[perm[i]]);
    step = 1;
    for (int i = p.rank - 1; i >= 0; step *= p.size[i--])
        p.to[i] = step;
    for (int i = 0; i < p.rank - 1; i++) {
        if (p.from[i] == 1)
            p.turned = i;
        else
            p.groups *= p.size[i];
    }
    return p;
}

/* Where group G begins in x and y.  */
static void group_at(const struct permute *p, int64_t g, int64_t *from, int64_t *to)
{
    *from = *to = 0;
    for (int i = p->rank - 2; i >= 0; i--) {
        if (i == p->turned)
            continue;
        *from += g % p->size[i] * p->from[i];
        *to += g % p->size[i] * p->to[i];
        g /= p->size[i];
    }
}

static void turn_task(void *permute, int64_t task, int thread)
{
    const struct permute *p = permute;
    const int64_t at = task % p->strips * STRIP, left = p->size[p->turned] - at;
    int64_t from, to;

    (void)thread;
    group_at(p, task / p->strips, &from, &to);
    transpose(p->y + to + at * p->to[p->turned], p->to[p->turned], p->x + from + at,
              p->from[p->rank - 1], p->size[p->rank - 1], left < STRIP ? left : STRIP);
}

static void copy_task(void *permute, int64_t task, int thread)
{
    const struct permute *p = permute;
    const int64_t run = p->rank ? p->size[p->rank - 1] : 1;
    const int64_t end = p->groups * (task + 1) / p->strips;

    (void)thread;
    for (int64_t g = p->groups * task / p->strips; g < end; g++) {
        int64_t from, to;

        group_at(p, g, &from, &to);
        memcpy(p->y + to, p->x + from, (size_t)run * sizeof *p->y);
    }
}

static void permute(const struct kernel_args *a, struct permute *p, const struct tensor *x,
                    const struct tensor *y)
{
    p->x = x->data;
    p->y = y->data;
    if (p->turned >= 0) {
        p->strips = (p->size[p->turned] + STRIP - 1) / STRIP;
        pool_run(a->pool, p->groups * p->strips, turn_task, p);
        return;
    }
    p->strips = (tensor_count(y) + RUN - 1) / RUN;
    if (p->strips > p->groups)
        p->strips = p->groups;
    pool_run(a->pool, p->strips, copy_task, p);
}

/* ---- transpose ---- */

static void transpose_forward(const struct kernel_args *a)
{
    const struct tensor *x = &a->op.in[0];
    struct permute p = permute_of(x->shape.rank, x->shape.dim, attr_ints(a->op.node, "perm", NULL));

    permute(a, &p, x, &a->op.out[0]);
}

static void transpose_backward(const struct kernel_args *a)
{
    const struct tensor *dy = &a->op.dout[0];
    int rank;
    const int64_t *perm = attr_ints(a->op.node, "perm", &rank);
    int64_t back[SHAPE_MAX] = {0};

    for (int i = 0; i < rank; i++)
        back[perm[i]] = i;
    struct permute p = permute_of(rank, dy->shape.dim, back);

    permute(a, &p, dy, &a->op.din[0]);
}

/* ---- tokens ---- */

/* [N,A,B] to [N,B,A].  */
static void flip(const struct kernel_args *a, const struct tensor *x, int64_t rows, int64_t cols,
                 const struct tensor *y)
{
    const int64_t dim[] = {x->shape.dim[0], rows, cols}, perm[] = {0, 2, 1};
    struct permute p = permute_of(3, dim, perm);

    permute(a, &p, x, y);
}

static void tokens_forward(const struct kernel_args *a)
{
    const struct shape *y = &a->op.out[0].shape;

    flip(a, &a->op.in[0], y->dim[2], y->dim[1], &a->op.out[0]);
}

static void tokens_backward(const struct kernel_args *a)
{
    const struct shape *dy = &a->op.dout[0].shape;

    flip(a, &a->op.dout[0], dy->dim[1], dy->dim[2], &a->op.din[0]);
}

/* clang-format off */
#define RECORD(o, d, f) \
    {.name = "permute_" ISA_NAME, .op = #o, .dir = DIR_##d, .isa = ISA_BITS, \
     .dtypes = 1 << DTYPE_F32, .run = f}

const struct kernel ISA(permute_kernels)[] = {
    RECORD(transpose, FORWARD, transpose_forward), RECORD(transpose, BACKWARD, transpose_backward),
    RECORD(tokens, FORWARD, tokens_forward), RECORD(tokens, BACKWARD, tokens_backward),
    {0},
};
/* clang-format on */
