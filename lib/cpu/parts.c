/* parts.c -- ops whose work falls apart into independent pieces: the
 * reference runs on one piece in each task, so results are the reference's to
 * the bit.
 * SPDX-License-Identifier: MIT  */
#include <string.h>

#include "base/thread.h"
#include "cpu/kernels.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { CHUNK = 4096, MOST = 4 };

/* The tensors of a piece: one operand, its results and their gradients.  */
struct piece {
    struct op_args a;
    struct tensor in[MOST], out[MOST], dout[1], din[MOST];
};

struct job;
typedef struct tensor slice_fn(const struct job *j, const struct tensor *t, int64_t at, int64_t n);

struct job {
    const struct op_args *a;
    slice_fn *slice;
    int64_t units, per_task;
};

static void run_task(void *job, int64_t task, int thread)
{
    const struct job *j = job;
    const int back = j->a->node->dir == DIR_BACKWARD;
    const int64_t at = task * j->per_task;
    const int64_t n = j->units - at < j->per_task ? j->units - at : j->per_task;
    struct piece p = {.a = *j->a};

    (void)thread;
    for (int i = 0; i < node_op_in(p.a.node); i++) { /* parameters stay whole */
        const int whole = node_in_info(p.a.node, i)->role != ROLE_DATA;

        p.in[i] = whole ? j->a->in[i] : j->slice(j, &j->a->in[i], at, n);
        if (back)
            p.din[i] = whole ? j->a->din[i] : j->slice(j, &j->a->din[i], at, n);
    }
    for (int i = 0; i < node_op_out(p.a.node); i++)
        p.out[i] = j->slice(j, &j->a->out[i], at, n);
    p.a.in = p.in;
    p.a.out = p.out;
    if (back)
        p.dout[0] = j->slice(j, &j->a->dout[0], at, n);
    p.a.dout = p.dout;
    p.a.din = p.din;
    if (back)
        p.a.node->op->backward(&p.a);
    else
        p.a.node->op->forward(&p.a);
}

static void run_job(const struct kernel_args *a, slice_fn *slice, int64_t units, int64_t per_unit)
{
    struct job j = {&a->op, slice, units, per_unit < CHUNK ? CHUNK / per_unit : 1};

    pool_run(a->pool, (units + j.per_task - 1) / j.per_task, run_task, &j);
}

/* ---- element by element ---- */

static struct tensor elements(const struct job *j, const struct tensor *t, int64_t at, int64_t n)
{
    struct tensor r = *t;

    (void)j;
    r.shape = shape_make(1, &n);
    if (r.data)
        r.data = (char *)r.data + (size_t)at * dtype_size(t->dtype);
    return r;
}

static void element_run(const struct kernel_args *a)
{
    const int back = a->op.node->dir == DIR_BACKWARD;

    run_job(a, elements, tensor_count(back ? &a->op.dout[0] : &a->op.in[0]), 1);
}

/* ---- rows along the attribute `axis' ---- */

static int axis_of_node(const struct op_args *a)
{
    return (int)attr_int(a->node, "axis");
}

/* Sizes in front of the axis become one, which is cut.  */
static struct tensor rows(const struct job *j, const struct tensor *t, int64_t at, int64_t n)
{
    const int axis = axis_of_node(j->a);
    struct tensor r = *t;
    int64_t inner = 1;

    for (int i = axis; i < t->shape.rank; i++)
        inner *= t->shape.dim[i];
    for (int i = 0; i < axis; i++)
        r.shape.dim[i] = i == axis - 1 ? n : 1;
    if (r.data)
        r.data = (char *)r.data + (size_t)(at * inner) * dtype_size(t->dtype);
    return r;
}

static int has_rows(const struct step_nodes *s)
{
    return attr_int(s->node[0], "axis") > 0;
}

static void row_run(const struct kernel_args *a)
{
    const struct tensor *x = a->op.node->dir == DIR_BACKWARD ? &a->op.dout[0] : &a->op.out[0];
    int64_t outer = 1;

    for (int i = 0; i < axis_of_node(&a->op); i++)
        outer *= x->shape.dim[i];
    run_job(a, rows, outer, tensor_count(x) / outer);
}

/* ---- samples ---- */

/* Of T, which has as many rows for each sample.  */
static struct tensor samples(const struct job *j, const struct tensor *t, int64_t at, int64_t n)
{
    struct tensor r = *t;

    r.shape.dim[0] = t->shape.dim[0] / j->units * n;
    if (r.data)
        r.data = (char *)r.data + (size_t)(tensor_count(t) / j->units * at) * dtype_size(t->dtype);
    return r;
}

static void sample_run(const struct kernel_args *a)
{
    const int back = a->op.node->dir == DIR_BACKWARD;
    const struct tensor *x = back ? a->op.dout : a->op.in, *y = back ? a->op.din : a->op.out;
    int64_t n = x->shape.dim[0];

    if (y->data && y->shape.dim[0] < n) /* windows are more than pictures */
        n = y->shape.dim[0];
    run_job(a, samples, n, n ? tensor_count(x) / n : 1);
}

/* ---- y[n] = x[n] + p, p the same for each sample ---- */

static int repeat_accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape *y = &n->out[0]->shape, *p = &n->in[n->n_in - 1]->shape;

    return n->n_join == 2 && shape_equal(&n->in[0]->shape, y) && y->batch < 2 && !p->batch &&
           p->rank == y->rank && p->rank > 1 && p->dim[0] == 1 &&
           !memcmp(p->dim + 1, y->dim + 1, (size_t)(p->rank - 1) * sizeof *p->dim);
}

static void repeat_task(void *args, int64_t n, int thread)
{
    const struct kernel_args *a = args;
    const int64_t count = tensor_count(&a->op.in[1]);
    const float *x = (const float *)a->op.in[0].data + n * count, *p = a->op.in[1].data;
    float *y = (float *)a->op.out[0].data + n * count;

    (void)thread;
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i] + p[i];
}

static void repeat_run(const struct kernel_args *a)
{
    pool_run(a->pool, a->op.in[0].shape.dim[0], repeat_task, (void *)a);
}

/* clang-format off */
#define PARTS(o, d) .name = "parts_" #o, .op = #o, .dir = d, .dtypes = 1 << DTYPE_F32

#define EACH(o) \
    {PARTS(o, DIR_FORWARD), .any_layout = 1, .run = element_run}, \
    {PARTS(o, DIR_BACKWARD), .any_layout = 1, .run = element_run}

#define EACH_SAMPLE(o) \
    {PARTS(o, DIR_FORWARD), .run = sample_run}, \
    {PARTS(o, DIR_BACKWARD), .run = sample_run}

const struct kernel parts_kernels[] = {
    {PARTS(clip, DIR_BACKWARD), .any_layout = 1, .run = element_run},
    EACH(elu), EACH(erf), EACH(exp), EACH(gelu), EACH(hardtanh), EACH(leakyrelu), EACH(log),
    EACH(mish), EACH(pow), EACH(selu), EACH(softplus), EACH(softsign), EACH(sqrt),
    {PARTS(softmax, DIR_FORWARD), .accepts = has_rows, .run = row_run},
    {PARTS(softmax, DIR_BACKWARD), .accepts = has_rows, .run = row_run},
    {PARTS(logsoftmax, DIR_FORWARD), .accepts = has_rows, .run = row_run},
    {PARTS(logsoftmax, DIR_BACKWARD), .accepts = has_rows, .run = row_run},
    EACH_SAMPLE(gridsample), EACH_SAMPLE(windowpartition), EACH_SAMPLE(windowreverse),
    {PARTS(add, DIR_FORWARD), .accepts = repeat_accepts, .run = repeat_run},
    {0},
};
/* clang-format on */
