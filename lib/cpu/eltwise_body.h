/* eltwise_body.h -- element by element: activations, sums; compiled once per
 * instruction set.  Results may lie where operands do.
 * SPDX-License-Identifier: MIT  */
#include "base/thread.h"
#include "cpu/elem.h"
#include "cpu/follow.h"
#include "cpu/kernels.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { CHUNK = 16384, TERMS = 16 };

struct job {
    elem *y;
    const elem *x[TERMS];
    int terms;
    int64_t count;
    enum act act;
    float lo, hi;
};

typedef vf element_fn(const struct job *j, const vf *x);

/* F over one chunk; inlined into each caller, so that F is too.  */
INLINE void sweep(const struct job *j, int64_t task, const int terms, element_fn *f)
{
    const int64_t end = (task + 1) * CHUNK < j->count ? (task + 1) * CHUNK : j->count;
    int64_t i = task * CHUNK;
    vf x[TERMS];

    for (; i + VL <= end; i += VL) {
        for (int t = 0; t < terms; t++)
            x[t] = elem_load(j->x[t] + i);
        elem_store(j->y + i, f(j, x));
    }
    if (i < end) {
        for (int t = 0; t < terms; t++)
            x[t] = elem_load_n(j->x[t] + i, end - i);
        elem_store_n(j->y + i, f(j, x), end - i);
    }
}

static void run_job(const struct kernel_args *a, struct job *j, pool_fn *task)
{
    j->count = tensor_count(&a->op.in[0]);
    pool_run(a->pool, (j->count + CHUNK - 1) / CHUNK, task, j);
}

/* ---- activations ---- */

INLINE vf act(const struct job *j, const vf *x)
{
    return vf_act(j->act, x[0], VF1(j->lo), VF1(j->hi));
}

static void act_task(void *job, int64_t task, int thread)
{
    (void)thread;
    sweep(job, task, 1, act);
}

static void act_forward(const struct kernel_args *a)
{
    struct job j = {.y = a->op.out[0].data, .x = {a->op.in[0].data}};

    j.act = (enum act)follow_act(a->op.node, &j.lo, &j.hi);
    run_job(a, &j, act_task);
}

INLINE vf slope(const struct job *j, const vf *x)
{
    return vf_slope(j->act, x[0], x[1], VF1(j->lo), VF1(j->hi));
}

static void slope_task(void *job, int64_t task, int thread)
{
    (void)thread;
    sweep(job, task, 2, slope);
}

/* From what the op keeps: its result or its operand.  */
static void act_backward(const struct kernel_args *a)
{
    const struct tensor *kept = a->op.node->op->keep_out ? a->op.out : a->op.in;
    struct job j = {.y = a->op.din[0].data, .x = {kept->data, a->op.dout[0].data}};

    j.act = (enum act)follow_act(a->op.node, &j.lo, &j.hi);
    j.count = tensor_count(&a->op.dout[0]);
    pool_run(a->pool, (j.count + CHUNK - 1) / CHUNK, slope_task, &j);
}

/* The kernels take the form by erf alone.  */
static int gelu_accepts(const struct step_nodes *s)
{
    return !strcmp(attr_str(s->node[0], "approximate"), "none");
}

/* ---- sums ---- */

INLINE vf sum2(const struct job *j, const vf *x)
{
    return vf_act(j->act, x[0] + x[1], VF1(j->lo), VF1(j->hi));
}

INLINE vf sum3(const struct job *j, const vf *x)
{
    return vf_act(j->act, x[0] + x[1] + x[2], VF1(j->lo), VF1(j->hi));
}

INLINE vf sum_all(const struct job *j, const vf *x)
{
    vf sum = x[0];

    for (int t = 1; t < j->terms; t++)
        sum += x[t];
    return vf_act(j->act, sum, VF1(j->lo), VF1(j->hi));
}

static void sum2_task(void *job, int64_t task, int thread)
{
    (void)thread;
    sweep(job, task, 2, sum2);
}

static void sum3_task(void *job, int64_t task, int thread)
{
    (void)thread;
    sweep(job, task, 3, sum3);
}

static void sum_task(void *job, int64_t task, int thread)
{
    const struct job *j = job;

    (void)thread;
    sweep(j, task, j->terms, sum_all);
}

static int equal_shapes(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const int results = n->dir == DIR_BACKWARD ? n->n_out : n->n_in;
    const struct value *const *v =
        (const struct value *const *)(n->dir == DIR_BACKWARD ? n->out : n->in);
    const struct value *like = n->dir == DIR_BACKWARD ? n->in[n->n_in - 1] : n->out[0];

    for (int i = 0; i < results; i++)
        if (v[i] && !shape_equal(&v[i]->shape, &like->shape))
            return 0;
    return 1;
}

static int add_accepts(const struct step_nodes *s)
{
    return s->node[0]->n_join >= 2 && s->node[0]->n_join <= TERMS && equal_shapes(s) &&
           follow_accepts(s);
}

static void add_forward(const struct kernel_args *a)
{
    pool_fn *const task = a->op.node->n_join == 2   ? sum2_task
                          : a->op.node->n_join == 3 ? sum3_task
                                                    : sum_task;
    struct job j = {.y = a->op.out[0].data, .terms = a->op.node->n_join};

    for (int i = 0; i < j.terms; i++)
        j.x[i] = a->op.in[i].data;
    if (a->step->n > 1)
        j.act = (enum act)follow_act(a->step->node[1], &j.lo, &j.hi);
    run_job(a, &j, task);
}

static void copy_task(void *job, int64_t task, int thread)
{
    const struct job *j = job;
    const int64_t left = j->count - task * CHUNK;

    (void)thread;
    memmove(j->y + task * CHUNK, j->x[0] + task * CHUNK,
            (size_t)(left < CHUNK ? left : CHUNK) * sizeof(elem));
}

static void add_backward(const struct kernel_args *a)
{
    struct job j = {.x = {a->op.dout[0].data}, .count = tensor_count(&a->op.dout[0])};

    for (int i = 0; i < a->op.node->n_join; i++) {
        j.y = a->op.din[i].data;
        if (j.y && j.y != j.x[0])
            pool_run(a->pool, (j.count + CHUNK - 1) / CHUNK, copy_task, &j);
    }
}

/* ---- droppath ---- */

/* LO: what the samples that stay are multiplied by.  */
INLINE vf scaled(const struct job *j, const vf *x)
{
    return vf_gt(VF1(j->lo), VF0, x[0] * VF1(j->lo), VF0);
}

struct drop {
    struct job job; /* of the first sample */
    int64_t chunks;
    const struct rng *rng;
    double rate;
};

static void drop_task(void *drop, int64_t task, int thread)
{
    const struct drop *d = drop;
    const int64_t n = task / d->chunks;
    struct job j = d->job;

    (void)thread;
    if (rng_uniform(d->rng, (uint64_t)n) < d->rate)
        j.lo = 0;
    j.y += n * j.count;
    j.x[0] += n * j.count;
    sweep(&j, task % d->chunks, 1, scaled);
}

/* Forward and back.  */
static void drop_run(const struct kernel_args *a)
{
    const int back = a->op.node->dir == DIR_BACKWARD;
    const struct tensor *x = back ? a->op.dout : a->op.in, *y = back ? a->op.din : a->op.out;
    const int64_t n = x->shape.dim[0];
    struct drop d = {.rng = &a->op.rng, .rate = attr_real(a->op.node, "rate")};

    d.job = (struct job){.y = y->data, .x = {x->data}, .count = n ? tensor_count(x) / n : 0};
    d.job.lo = d.rate < 1 ? (float)(1 / (1 - d.rate)) : 0;
    d.chunks = (d.job.count + CHUNK - 1) / CHUNK;
    pool_run(a->pool, n * d.chunks, drop_task, &d);
}

static int drops(const struct step_nodes *s)
{
    return s->node[0]->train;
}

/* clang-format off */
#define COMMON .name = "eltwise_" ISA_NAME, .isa = ISA_BITS, .dtypes = 1 << DTYPE_F32, \
    .any_layout = 1, .reads = ELEM_ANY, .writes = ELEM_ANY
#define FORWARD(o)     {COMMON, .op = #o, .dir = DIR_FORWARD, .defer = DEFER_ACT, .run = act_forward}
#define BACKWARD(o)    {COMMON, .op = #o, .dir = DIR_BACKWARD, .run = act_backward}

const struct kernel ISA(eltwise_kernels)[] = {
    FORWARD(relu), FORWARD(relu6), FORWARD(clip), FORWARD(hardswish), FORWARD(silu),
    FORWARD(sigmoid), FORWARD(hardsigmoid), FORWARD(tanh),
    BACKWARD(relu), BACKWARD(relu6), BACKWARD(hardswish), BACKWARD(silu), BACKWARD(sigmoid),
    BACKWARD(hardsigmoid), BACKWARD(tanh),
    {COMMON, .op = "gelu", .dir = DIR_FORWARD, .accepts = gelu_accepts, .run = act_forward},
    {COMMON, .op = "gelu", .dir = DIR_BACKWARD, .accepts = gelu_accepts, .run = act_backward},
    {COMMON, .op = "add", .dir = DIR_FORWARD, .epilogue = follow_act_names,
     .accepts = add_accepts, .run = add_forward},
    {COMMON, .op = "add", .dir = DIR_BACKWARD, .accepts = equal_shapes, .run = add_backward},
    {COMMON, .op = "droppath", .dir = DIR_FORWARD, .accepts = drops, .run = drop_run},
    {COMMON, .op = "droppath", .dir = DIR_BACKWARD, .accepts = drops, .run = drop_run},
    {0},
};
/* clang-format on */
