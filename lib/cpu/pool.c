/* pool.c -- pooling, a group of planes at a time.
 * SPDX-License-Identifier: MIT
 *
 * Planes are independent: the reference runs on a few of them in each task,
 * so results are the reference's to the bit.  */
#include "base/thread.h"
#include "cpu/kernels.h"
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

/* clang-format off */
#define BOTH(o) \
    {.name = "pool_" #o, .op = #o, .dir = DIR_FORWARD, .dtypes = 1 << DTYPE_F32, .run = forward}, \
    {.name = "pool_" #o, .op = #o, .dir = DIR_BACKWARD, .run = backward, \
     .dtypes = 1 << DTYPE_F32 | 1 << DTYPE_I32}

const struct kernel pool_kernels[] = {
    BOTH(maxpool2d), BOTH(avgpool2d), BOTH(globalavgpool), BOTH(subsample), {0},
};
/* clang-format on */
