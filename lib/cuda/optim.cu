/* optim.cu -- steps of the optimisers and of averages, and the length of all
 * gradients.
 * SPDX-License-Identifier: MIT
 *
 * Parameters and their state stay of f32.  A network has hundreds of them, most
 * small: each of these is one launch, or two, for all of its arrays, by a table
 * that is made when the plan is.  */
#include <math.h>
#include <stdlib.h>

#include "cuda/arrays.cuh"

/* ---- steps of the optimisers, and of averages ---- */

enum rule { RULE_NONE, RULE_SGD, RULE_ADAMW };

/* One parameter with all that a step does to it.  */
struct update {
    int64_t count;
    enum rule rule; /* NONE: it has an average alone */
    int nesterov;
    float *param, *a, *b; /* a: momentum, or m; b: v */
    const float *grad, *rate;
    const float *scale; /* of the loss that GRAD is of; NULL: 1 */
    float *steps;
    float *average; /* NULL: it has none */
    const float *share;
    double decay, lr_scale, beta1, beta2, eps; /* beta1: or the momentum */
    double keep, step, root;                   /* of adamw in this step: by count_steps() */
};

/* What is the same for all elements of a parameter under adamw.  */
__global__ void count_steps(struct update *item, int n)
{
    for (EACH (i, n)) {
        struct update *u = &item[i];

        if (u->rule == RULE_ADAMW) {
            const double lr = *u->rate * u->lr_scale, t = *u->steps += 1;

            u->keep = 1 - lr * u->decay;
            u->step = lr / (1 - pow(u->beta1, t));
            u->root = sqrt(1 - pow(u->beta2, t));
        }
    }
}

struct element {
    float param, grad, a, b, average;
};

__device__ __forceinline__ void sgd(const struct update &u, float rate, struct element *x)
{
    const float momentum = (float)u.beta1, g = x->grad + (float)u.decay * x->param;

    x->a = momentum * x->a + g;
    x->param -= rate * (u.nesterov ? g + momentum * x->a : x->a);
}

__device__ __forceinline__ void adamw(const struct update &u, struct element *x)
{
    const double g = x->grad;

    x->a = (float)(u.beta1 * x->a + (1 - u.beta1) * g);
    x->b = (float)(u.beta2 * x->b + (1 - u.beta2) * g * g);
    x->param = (float)(x->param * u.keep - u.step * x->a / (sqrt((double)x->b) / u.root + u.eps));
}

/* UNIT: 1 / scale.  */
__device__ __forceinline__ void load(const struct update &u, float unit, int64_t i,
                                     struct element *x)
{
    x->param = u.param[i];
    if (u.rule != RULE_NONE) {
        x->grad = u.grad[i] * unit;
        x->a = u.a[i];
    }
    if (u.rule == RULE_ADAMW)
        x->b = u.b[i];
    if (u.average)
        x->average = u.average[i];
}

__device__ __forceinline__ void store(const struct update &u, int64_t i, const struct element &x)
{
    if (u.rule != RULE_NONE) {
        u.param[i] = x.param;
        u.a[i] = x.a;
    }
    if (u.rule == RULE_ADAMW)
        u.b[i] = x.b;
    if (u.average)
        u.average[i] = x.average;
}

/* A thread loads four elements before it stores one: the addresses could be
 * equal, for all that the compiler knows, and it would wait for each.  */
__global__ void all_steps(const struct update *item, const struct piece *piece)
{
    constexpr int AHEAD = 4;
    const struct update u = item[piece[blockIdx.x].item];
    const struct range p = range_of(piece[blockIdx.x], u.count);
    const float rate = u.rate ? *u.rate * (float)u.lr_scale : 0;
    const float share = u.average ? *u.share : 0, unit = u.scale ? 1 / *u.scale : 1;

    for (int64_t i = p.from + threadIdx.x; i < p.end; i += AHEAD * THREADS) {
        struct element x[AHEAD] = {};

#pragma unroll
        for (int k = 0; k < AHEAD; k++)
            if (i + k * THREADS < p.end)
                load(u, unit, i + k * THREADS, &x[k]);
#pragma unroll
        for (int k = 0; k < AHEAD; k++) {
            if (u.rule == RULE_SGD)
                sgd(u, rate, &x[k]);
            else if (u.rule == RULE_ADAMW)
                adamw(u, &x[k]);
            x[k].average += share * (x[k].param - x[k].average);
            if (i + k * THREADS < p.end)
                store(u, i + k * THREADS, x[k]);
        }
    }
}

static void describe_sgd(const struct kernel_args *a, struct update *u)
{
    enum { PARAM, GRAD, LR, BUF, SCALE };
    const struct node *n = a->op.node;
    const struct tensor *in = a->op.in;

    u->rule = RULE_SGD;
    u->param = data<float>(&in[PARAM]);
    u->grad = data<float>(&in[GRAD]);
    u->rate = data<float>(&in[LR]);
    u->scale = data<float>(&in[SCALE]);
    u->a = data<float>(&in[BUF]);
    u->nesterov = (int)attr_int(n, "nesterov");
    u->beta1 = attr_real(n, "momentum");
}

static void describe_adamw(const struct kernel_args *a, struct update *u)
{
    enum { PARAM, GRAD, LR, M, V, T, SCALE };
    const struct node *n = a->op.node;
    const struct tensor *in = a->op.in;

    u->rule = RULE_ADAMW;
    u->param = data<float>(&in[PARAM]);
    u->grad = data<float>(&in[GRAD]);
    u->rate = data<float>(&in[LR]);
    u->scale = data<float>(&in[SCALE]);
    u->a = data<float>(&in[M]);
    u->b = data<float>(&in[V]);
    u->steps = data<float>(&in[T]);
    u->beta1 = attr_real(n, "beta1");
    u->beta2 = attr_real(n, "beta2");
    u->eps = attr_real(n, "eps");
}

/* The update of the N so far that is of PARAM, or NULL.  */
static struct update *update_of(struct update *u, int n, const float *param)
{
    for (int i = 0; i < n; i++)
        if (u[i].param == param)
            return &u[i];
    return NULL;
}

/* An average is a part of the update in front of it of the same parameter.  */
static int add_average(const struct kernel_args *a, struct update *u, int n)
{
    enum { AVERAGE, X, SHARE };
    const struct tensor *in = a->op.in;
    struct update *to = update_of(u, n, data<float>(&in[X]));
    const int is_new = !to;

    if (is_new) {
        to = &u[n];
        to->param = data<float>(&in[X]);
        to->count = tensor_count(&in[X]);
    } else if (to->average) {
        BUG("'%s' has two averages", a->op.node->in[X]->name);
    }
    to->average = data<float>(&in[AVERAGE]);
    to->share = data<float>(&in[SHARE]);
    return n + is_new;
}

static int add_step(const struct kernel_args *a, struct update *u, int n)
{
    const struct node *node = a->op.node;

    if (update_of(u, n, data<float>(&a->op.in[0])))
        BUG("'%s' has changed before its update", node->in[0]->name);
    u[n].count = tensor_count(&a->op.in[0]);
    u[n].decay = attr_real(node, "decay");
    u[n].lr_scale = attr_real(node, "lr_scale");
    (node_is(node, "sgd") ? describe_sgd : describe_adamw)(a, &u[n]);
    return n + 1;
}

struct steps {
    struct arrays<struct update> *table;
    int counts; /* some of them count */
};

static void steps_free(void *prepared)
{
    struct steps *s = (struct steps *)prepared;

    arrays_free<struct update>(s->table);
    free(s);
}

static void *steps_new(const struct kernel_args *const *a, int n, struct err *e)
{
    struct update *u = (struct update *)xcalloc((size_t)n, sizeof *u);
    struct steps *s = (struct steps *)xcalloc(1, sizeof *s);
    int m = 0;

    for (int i = 0; i < n; i++)
        m = (node_is(a[i]->op.node, "ema") ? add_average : add_step)(a[i], u, m);
    for (int i = 0; i < m; i++)
        s->counts |= u[i].rule == RULE_ADAMW;
    s->table = arrays_new(device_of(a[0]), u, m, e);
    free(u);
    if (s->table)
        return s;
    free(s);
    return NULL;
}

static void steps_run(const void *prepared)
{
    const struct steps *s = (const struct steps *)prepared;
    const struct arrays<struct update> *t = s->table;

    if (s->counts)
        launch(t->device, count_steps, blocks_for(t->items), THREADS, t->item, t->items);
    if (t->pieces)
        launch(t->device, all_steps, dim3(t->pieces), THREADS, t->item, t->piece);
}

static const struct together steps_together = {0, steps_new, steps_run, steps_free};

/* ---- the length of all gradients ---- */

struct gradient {
    int64_t count;
    const float *x;
    float *y; /* of all: the first one's */
};

__global__ void squares(const struct gradient *item, const struct piece *piece, double *part)
{
    const struct gradient g = item[piece[blockIdx.x].item];
    const struct range p = range_of(piece[blockIdx.x], g.count);
    double sum = 0;

    for (int64_t i = p.from + threadIdx.x; i < p.end; i += THREADS)
        sum += (double)g.x[i] * g.x[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        part[blockIdx.x] = sum;
}

__global__ void length(int64_t count, const double *part, const struct gradient *item)
{
    double sum = 0;

    for (int64_t i = threadIdx.x; i < count; i += THREADS)
        sum += part[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        *item->y = (float)sqrt(sum);
}

static void *norm_new(const struct kernel_args *const *a, int n, struct err *e)
{
    const struct op_args *o = &a[0]->op;
    const int arrays = o->node->n_join;
    struct gradient *g = (struct gradient *)xcalloc((size_t)arrays, sizeof *g);
    void *t;

    (void)n;
    for (int k = 0; k < arrays; k++)
        g[k] = {tensor_count(&o->in[k]), data<float>(&o->in[k]), data<float>(&o->out[0])};
    t = arrays_new(device_of(a[0]), g, arrays, e);
    free(g);
    return t;
}

static void norm_run(const void *prepared)
{
    const struct arrays<struct gradient> *t = (const struct arrays<struct gradient> *)prepared;

    if (t->pieces)
        launch(t->device, squares, dim3(t->pieces), THREADS, t->item, t->piece, t->part);
    launch(t->device, length, dim3(1), THREADS, (int64_t)t->pieces, t->part, t->item);
}

static const struct together norm_together = {1, norm_new, norm_run, arrays_free<struct gradient>};

/* ---- clipscale ---- */

struct clip {
    int64_t count;
    const float *x, *norm, *scale; /* scale NULL: 1 */
    float *y;
    double max;
};

__global__ void shorten(const struct clip *item, const struct piece *piece)
{
    const struct clip c = item[piece[blockIdx.x].item];
    const struct range p = range_of(piece[blockIdx.x], c.count);
    const double unit = c.scale ? 1 / (double)*c.scale : 1, length = *c.norm * unit + 1e-6;
    const float factor = (float)(unit * (c.max < length ? c.max / length : 1));

    for (int64_t i = p.from + threadIdx.x; i < p.end; i += THREADS)
        c.y[i] = c.x[i] * factor;
}

static void *clip_new(const struct kernel_args *const *a, int n, struct err *e)
{
    struct clip *c = (struct clip *)xcalloc((size_t)n, sizeof *c);
    void *t;

    for (int k = 0; k < n; k++) {
        const struct op_args *o = &a[k]->op;

        c[k] = {tensor_count(&o->in[0]), data<float>(&o->in[0]),  data<float>(&o->in[1]),
                data<float>(&o->in[2]),  data<float>(&o->out[0]), attr_real(o->node, "max_norm")};
    }
    t = arrays_new(device_of(a[0]), c, n, e);
    free(c);
    return t;
}

static void clip_run(const void *prepared)
{
    const struct arrays<struct clip> *t = (const struct arrays<struct clip> *)prepared;

    if (t->pieces)
        launch(t->device, shorten, dim3(t->pieces), THREADS, t->item, t->piece);
}

static const struct together clip_together = {0, clip_new, clip_run, arrays_free<struct clip>};

/* clang-format off */
#define STEP(op_, dir_, with) {.name = "optim", .op = op_, .dir = dir_, .dtypes = F32, \
                               .together = &with}

extern "C" const struct kernel cuda_optim_kernels[] = {
    STEP("sgd", DIR_UPDATE, steps_together),
    STEP("adamw", DIR_UPDATE, steps_together),
    STEP("ema", DIR_UPDATE, steps_together),
    STEP("gradnorm", DIR_FORWARD, norm_together),
    STEP("clipscale", DIR_FORWARD, clip_together),
    {},
};
/* clang-format on */
