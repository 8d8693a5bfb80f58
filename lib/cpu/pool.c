/* pool.c -- pooling, a group of planes at a time.
 * SPDX-License-Identifier: MIT
 *
 * Planes are independent: mostly the reference runs on a few of them in each
 * task, so results are the reference's to the bit.  */
#include <string.h>

#include "base/thread.h"
#include "cpu/kernels.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { CHUNK = 16384, MOST = 4 };

struct job {
    const struct op_args *a;
    int64_t planes, per_task;
};

static int64_t planes_of(const struct tensor *t)
{
    return t->shape.dim[0] * t->shape.dim[1];
}

/* N planes of T from plane P on, as one image.  */
static struct tensor slice(const struct tensor *t, int64_t p, int64_t n)
{
    struct tensor r = *t;
    const int64_t area = tensor_count(t) / planes_of(t);

    r.shape.dim[0] = 1;
    r.shape.dim[1] = n;
    if (r.data)
        r.data = (char *)r.data + (size_t)(p * area) * dtype_size(t->dtype);
    return r;
}

static int64_t first_plane(const struct job *j, int64_t task, int64_t *n)
{
    const int64_t p = task * j->per_task;

    *n = j->planes - p < j->per_task ? j->planes - p : j->per_task;
    return p;
}

static void forward_task(void *job, int64_t task, int thread)
{
    const struct job *j = job;
    struct op_args a = *j->a;
    struct tensor in[1], out[MOST];
    int64_t n, p = first_plane(j, task, &n);

    (void)thread;
    in[0] = slice(&a.in[0], p, n);
    for (int i = 0; i < node_op_out(a.node); i++)
        out[i] = slice(&j->a->out[i], p, n);
    a.in = in;
    a.out = out;
    a.node->op->forward(&a);
}

static void backward_task(void *job, int64_t task, int thread)
{
    const struct job *j = job;
    struct op_args a = *j->a;
    struct tensor in[1], din[1], dout[1], out[MOST];
    int64_t n, p = first_plane(j, task, &n);

    (void)thread;
    in[0] = slice(&j->a->din[0], p, n);
    in[0].data = NULL;
    din[0] = slice(&j->a->din[0], p, n);
    dout[0] = slice(&j->a->dout[0], p, n);
    out[0] = dout[0];
    out[0].data = NULL;
    for (int i = 1; i < node_op_out(a.node); i++)
        out[i] = slice(&j->a->out[i], p, n);
    a.in = in;
    a.din = din;
    a.dout = dout;
    a.out = out;
    a.node->op->backward(&a);
}

static void run(const struct kernel_args *a, const struct tensor *x, pool_fn *task)
{
    struct job j = {.a = &a->op, .planes = planes_of(x)};
    const int64_t area = tensor_count(x) / j.planes;

    j.per_task = area < CHUNK ? CHUNK / area : 1;
    pool_run(a->pool, (j.planes + j.per_task - 1) / j.per_task, task, &j);
}

static void forward(const struct kernel_args *a)
{
    run(a, &a->op.in[0], forward_task);
}

static void backward(const struct kernel_args *a)
{
    run(a, &a->op.din[0], backward_task);
}

/* ---- subsample: its reference divides for every element ---- */

struct grid {
    const float *from;
    float *to;
    int64_t planes, h, w, p, q, step; /* x [h,w], y [p,q] */
};

static struct grid grid(const struct op_args *a, const struct tensor *x, const struct tensor *y)
{
    return (struct grid){
        .planes = planes_of(x),
        .h = x->shape.dim[2],
        .w = x->shape.dim[3],
        .p = y->shape.dim[2],
        .q = y->shape.dim[3],
        .step = attr_int(a->node, "stride"),
    };
}

static void subsample_task(void *grid, int64_t task, int thread)
{
    const struct grid *g = grid;
    float *to = g->to + task * g->p * g->q;

    (void)thread;
    for (int64_t i = 0; i < g->p; i++, to += g->q) {
        const float *from = g->from + (task * g->h + i * g->step) * g->w;

        for (int64_t j = 0; j < g->q; j++)
            to[j] = from[j * g->step];
    }
}

static void spread_task(void *grid, int64_t task, int thread)
{
    const struct grid *g = grid;
    const float *from = g->from + task * g->p * g->q;

    (void)thread;
    memset(g->to + task * g->h * g->w, 0, (size_t)(g->h * g->w) * sizeof *g->to);
    for (int64_t i = 0; i < g->p; i++, from += g->q) {
        float *to = g->to + (task * g->h + i * g->step) * g->w;

        for (int64_t j = 0; j < g->q; j++)
            to[j * g->step] = from[j];
    }
}

static void subsample_forward(const struct kernel_args *a)
{
    struct grid g = grid(&a->op, &a->op.in[0], &a->op.out[0]);

    g.from = a->op.in[0].data;
    g.to = a->op.out[0].data;
    pool_run(a->pool, g.planes, subsample_task, &g);
}

static void subsample_backward(const struct kernel_args *a)
{
    struct grid g = grid(&a->op, &a->op.din[0], &a->op.dout[0]);

    g.from = a->op.dout[0].data;
    g.to = a->op.din[0].data;
    pool_run(a->pool, g.planes, spread_task, &g);
}

/* clang-format off */
#define BOTH(o) \
    {.name = "pool_" #o, .op = #o, .dir = DIR_FORWARD, .dtypes = 1 << DTYPE_F32, .run = forward}, \
    {.name = "pool_" #o, .op = #o, .dir = DIR_BACKWARD, .run = backward, \
     .dtypes = 1 << DTYPE_F32 | 1 << DTYPE_I32}

const struct kernel pool_kernels[] = {
    BOTH(maxpool2d), BOTH(avgpool2d), BOTH(globalavgpool),
    {.name = "pool_subsample", .op = "subsample", .dir = DIR_FORWARD, .dtypes = 1 << DTYPE_F32,
     .run = subsample_forward},
    {.name = "pool_subsample", .op = "subsample", .dir = DIR_BACKWARD, .dtypes = 1 << DTYPE_F32,
     .run = subsample_backward},
    {0},
};
/* clang-format on */
