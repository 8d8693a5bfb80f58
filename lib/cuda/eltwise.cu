/* eltwise.cu -- element by element: activations, joins, dropout.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <string.h>

#include "cuda/act.cuh"
#include "cuda/box.cuh"
#include "cuda/random.cuh"

/* ---- activations ---- */

struct act act_of(const struct node *n)
{
    static const struct {
        const char *op;
        enum act_kind kind;
        const char *p0, *p1;
    } row[] = {
#define ROW(op, kind, p0, p1) {op, kind, p0, p1},
        ACTS(ROW)
#undef ROW
    };
    struct act a = {ACT_NONE, 0, 0};

    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (node_is(n, row[i].op)) {
            a.kind = row[i].kind;
            a.p0 = row[i].p0 ? (float)attr_real(n, row[i].p0) : 0;
            a.p1 = row[i].p1 ? (float)attr_real(n, row[i].p1) : 0;
        }
    if (a.kind == ACT_GELU && strcmp(attr_str(n, "approximate"), "none"))
        a.kind = ACT_GELU_TANH;
    return a;
}

/* What follows no layer is no activation: its functions would take registers
 * from the kernels of layers.  */
enum math_kind { MATH_ERF, MATH_EXP, MATH_LOG, MATH_POW, MATH_SQRT };

struct math {
    enum math_kind kind;
    float p;
};

static struct math math_of(const struct node *n)
{
    if (node_is(n, "pow"))
        return {MATH_POW, (float)attr_real(n, "exponent")};
    return {node_is(n, "erf")   ? MATH_ERF
            : node_is(n, "exp") ? MATH_EXP
            : node_is(n, "log") ? MATH_LOG
                                : MATH_SQRT,
            0};
}

__device__ float act_value(const struct math &f, float x)
{
    switch (f.kind) {
    case MATH_ERF:
        return erff(x);
    case MATH_EXP:
        return expf(x);
    case MATH_LOG:
        return logf(x);
    case MATH_POW:
        return powf(x, f.p);
    case MATH_SQRT:
        return sqrtf(x);
    }
    return x;
}

/* Of y where the op keeps it: exp, sqrt.  */
__device__ float act_slope(const struct math &f, float v)
{
    switch (f.kind) {
    case MATH_ERF:
        return 1.1283791670955126f * expf(-v * v);
    case MATH_EXP:
        return v;
    case MATH_LOG:
        return 1 / v;
    case MATH_POW:
        return f.p != 0 ? f.p * powf(v, f.p - 1) : 0;
    case MATH_SQRT:
        return 1 / (2 * v);
    }
    return 1;
}

template <class T, class F> __global__ void act_forward(F f, int64_t count, const T *x, T *y)
{
    for (EACH (i, count))
        put(&y[i], act_value(f, get(x[i])));
}

template <class T, class F>
__global__ void act_backward(F f, int64_t count, const T *kept, const T *dy, T *dx)
{
    for (EACH (i, count)) {
        const float s = act_slope(f, get(kept[i]));

        put(&dx[i], s != 0 ? get(dy[i]) * s : 0);
    }
}

template <class T, class F> static void run_each(const struct kernel_args *a, F f)
{
    const struct node *n = a->op.node;
    const int back = n->dir == DIR_BACKWARD;
    const struct tensor *kept = n->op->keep_out ? a->op.out : a->op.in;
    const int64_t count = tensor_count(back ? &a->op.dout[0] : &a->op.in[0]);

    if (back)
        launch(device_of(a), act_backward<T, F>, blocks_for(count), THREADS, f, count,
               data<T>(kept), data<T>(&a->op.dout[0]), data<T>(&a->op.din[0]));
    else
        launch(device_of(a), act_forward<T, F>, blocks_for(count), THREADS, f, count,
               data<T>(&a->op.in[0]), data<T>(&a->op.out[0]));
}

template <class T> static void act_run(const struct kernel_args *a)
{
    run_each<T>(a, act_of(a->op.node));
}

template <class T> static void math_run(const struct kernel_args *a)
{
    run_each<T>(a, math_of(a->op.node));
}

/* ---- add, mul, div, max ---- */

enum join_kind { JOIN_ADD, JOIN_MUL, JOIN_DIV, JOIN_MAX };

/* Operands of a join; parameters are of f32 and lie plain, as does what has no
 * batch.  */
struct operands {
    int n;
    enum join_kind kind;
    const void *p[BOX_ARRAYS];
    int wide[BOX_ARRAYS]; /* of f32 whatever T is */
};

template <class T> __device__ float operand(const struct operands &o, int k, int64_t at)
{
    return o.wide[k] ? ((const float *)o.p[k])[at] : get(((const T *)o.p[k])[at]);
}

/* What stands at AT in all of them.  */
template <class T> __device__ float joined(const struct operands &o, const int64_t *at)
{
    float r = operand<T>(o, 0, at[0]);

    for (int k = 1; k < o.n; k++) {
        const float v = operand<T>(o, k, at[k]);

        switch (o.kind) {
        case JOIN_ADD:
            r += v;
            break;
        case JOIN_MUL:
            r *= v;
            break;
        case JOIN_DIV:
            r /= v;
            break;
        case JOIN_MAX:
            r = v > r || isnan(v) ? v : r;
            break;
        }
    }
    return r;
}

template <class T>
__device__ float factor_slope(const struct operands &o, const int64_t *at, int of)
{
    float r = 1;

    for (int k = 0; k < o.n; k++)
        if (k != of)
            r *= operand<T>(o, k, at[k]);
    return r;
}

template <class T> __device__ float div_slope(const struct operands &o, const int64_t *at, int of)
{
    const float by = operand<T>(o, 1, at[1]);

    return of ? -operand<T>(o, 0, at[0]) / by / by : 1 / by;
}

/* Equal ones share it.  */
template <class T> __device__ float max_slope(const struct operands &o, const int64_t *at, int of)
{
    const float y = joined<T>(o, at);
    int equal = 0;

    if (operand<T>(o, of, at[of]) != y)
        return 0;
    for (int k = 0; k < o.n; k++)
        equal += operand<T>(o, k, at[k]) == y;
    return 1 / (float)equal;
}

/* The slope along operand OF.  */
template <class T> __device__ float join_slope(const struct operands &o, const int64_t *at, int of)
{
    switch (o.kind) {
    case JOIN_ADD:
        break;
    case JOIN_MUL:
        return factor_slope<T>(o, at, of);
    case JOIN_DIV:
        return div_slope<T>(o, at, of);
    case JOIN_MAX:
        return max_slope<T>(o, at, of);
    }
    return 1;
}

template <class T> __global__ void join_forward(struct operands o, struct box b, T *y)
{
    for (EACH (i, b.count)) {
        int64_t at[BOX_ARRAYS];

        box_at(b, i, o.n, at);
        put(&y[i], joined<T>(o, at));
    }
}

/* All of one shape and layout: the same without arithmetic on indices.  */
template <class T> __global__ void join_same(struct operands o, int64_t count, T *y)
{
    for (EACH (i, count)) {
        int64_t at[BOX_ARRAYS];

        for (int k = 0; k < o.n; k++)
            at[k] = i;
        put(&y[i], joined<T>(o, at));
    }
}

/* The gradient of operand OF at index J of the box KEPT: dy times the slope,
 * summed over the box SUMMED of the axes along which
 * the operand is broadcast.  Array n is dy.  */
template <class T>
__device__ float join_term(const struct operands &o, const struct box &summed, const int64_t *from,
                           int of, int64_t i, const T *dy)
{
    int64_t at[BOX_ARRAYS];
    float v;

    box_at(summed, i, o.n + 1, at);
    for (int k = 0; k <= o.n; k++)
        at[k] += from[k];
    v = get(dy[at[o.n]]);
    return v * join_slope<T>(o, at, of);
}

template <class T, class D>
__global__ void join_backward(struct operands o, struct box kept, struct box summed, int of,
                              const T *dy, D *dx)
{
    for (EACH (j, kept.count)) {
        int64_t from[BOX_ARRAYS];
        double sum = 0;

        box_at(kept, j, o.n + 1, from);
        for (int64_t i = 0; i < summed.count; i++)
            sum += join_term<T>(o, summed, from, of, i, dy);
        put(&dx[from[of]], (float)sum);
    }
}

/* The same with a block for each sum.  */
template <class T, class D>
__global__ void join_backward_long(struct operands o, struct box kept, struct box summed, int of,
                                   const T *dy, D *dx)
{
    for (int64_t j = blockIdx.x; j < kept.count; j += gridDim.x) {
        int64_t from[BOX_ARRAYS];
        double sum = 0;

        box_at(kept, j, o.n + 1, from);
        for (int64_t i = threadIdx.x; i < summed.count; i += THREADS)
            sum += join_term<T>(o, summed, from, of, i, dy);
        sum = block_sum(sum);
        if (threadIdx.x == 0)
            put(&dx[from[of]], (float)sum);
    }
}

/* Operand K of a join is no activation: a tensor lies plain, of f32.  */
static int is_plain(const struct node *n, int k)
{
    return n->in[k] && value_is_tensor(n->in[k]);
}

static const struct shape *join_shape(const struct node *n, int k)
{
    return n->dir == DIR_BACKWARD ? &n->in_shape[k] : &n->in[k]->shape;
}

template <class T>
static struct operands operands_of(const struct kernel_args *a, struct box *b, int *same)
{
    const struct node *n = a->op.node;
    const struct shape *y = n->dir == DIR_BACKWARD ? &a->op.dout[0].shape : &a->op.out[0].shape;
    struct operands o = {};

    *b = box_of(y);
    *same = 1;
    o.n = node_is(n, "div") ? 2 : n->n_join;
    o.kind = node_is(n, "mul")   ? JOIN_MUL
             : node_is(n, "div") ? JOIN_DIV
             : node_is(n, "max") ? JOIN_MAX
                                 : JOIN_ADD;
    for (int k = 0; k < o.n; k++) {
        const struct shape *s = &a->op.in[k].shape;
        const int plain = is_plain(n, k);

        o.p[k] = a->op.in[k].data;
        o.wide[k] = plain || !is_kept(join_shape(n, k));
        box_steps(b, k, s, plain ? LAYOUT_PLAIN : form<T>::layout);
        *same &= shape_equal(s, y) && !(plain && s->rank == 4);
    }
    return o;
}

template <class T> static void join_run(const struct kernel_args *a)
{
    struct box b;
    int same;
    const struct operands o = operands_of<T>(a, &b, &same);

    box_order(&b, form<T>::layout);
    if (same)
        launch(device_of(a), join_same<T>, blocks_for(b.count), THREADS, o, b.count,
               data<T>(&a->op.out[0]));
    else
        launch(device_of(a), join_forward<T>, blocks_for(b.count), THREADS, o, b,
               data<T>(&a->op.out[0]));
}

/* Axes of B along which operand OF is broadcast stay in *SUMMED, the others in
 * *KEPT.  */
static void split_box(const struct box *b, const struct shape *x, struct box *kept,
                      struct box *summed)
{
    *kept = *summed = *b;
    for (int d = 0; d < b->rank; d++) {
        const int k = d - (b->rank - x->rank);
        const int is_summed = k < 0 || (x->dim[k] == 1 && b->dim[d] != 1);
        struct box *one = is_summed ? kept : summed;

        one->count /= b->dim[d] ? b->dim[d] : 1;
        one->dim[d] = 1;
    }
}

template <class T, class D>
static void join_gradient(const struct kernel_args *a, const struct operands &o, struct box all,
                          int of)
{
    enum { LONG = 64 };
    struct box kept, summed;
    D *dx = data<D>(&a->op.din[of]);
    const T *dy = data<T>(&a->op.dout[0]);

    /* a gradient lies as activations do, also that of a parameter */
    box_steps(&all, of, &a->op.in[of].shape, form<T>::layout);
    split_box(&all, &a->op.in[of].shape, &kept, &summed);
    box_order(&kept, form<T>::layout);
    box_order(&summed, form<T>::layout);
    if (summed.count < LONG)
        launch(device_of(a), join_backward<T, D>, blocks_for(kept.count), THREADS, o, kept, summed,
               of, dy, dx);
    else
        launch(device_of(a), join_backward_long<T, D>,
               dim3((unsigned)(kept.count < 65536 ? kept.count : 65536)), THREADS, o, kept, summed,
               of, dy, dx);
}

template <class T> static void join_back(const struct kernel_args *a)
{
    struct box b;
    int same;
    const struct operands o = operands_of<T>(a, &b, &same);

    box_steps(&b, o.n, &a->op.dout[0].shape, form<T>::layout);
    for (int k = 0; k < o.n; k++)
        if (a->op.din[k].data && !is_kept(join_shape(a->op.node, k)))
            join_gradient<T, float>(a, o, b, k);
        else if (a->op.din[k].data)
            join_gradient<T, T>(a, o, b, k);
}

static int few_operands(const struct step_nodes *s)
{
    return s->node[0]->n_join < BOX_ARRAYS;
}

/* ---- dropout ---- */

/* Numbers are drawn by their place in the plain value: the same on every
 * device.  */
template <class T>
__global__ void dropout(struct rng r, struct box b, double rate, float scale, const T *x, T *y)
{
    for (EACH (i, b.count)) {
        int64_t plain;
        float u;

        box_at(b, i, 1, &plain);
        u = (float)(random_word(r, (uint64_t)plain) >> 8) * 0x1p-24f;
        put(&y[i], u < rate ? 0 : get(x[i]) * scale);
    }
}

template <class T> static void dropout_run(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const int back = n->dir == DIR_BACKWARD;
    const struct tensor *x = back ? &a->op.dout[0] : &a->op.in[0];
    const struct tensor *y = back ? &a->op.din[0] : &a->op.out[0];
    const double rate = n->train ? attr_real(n, "rate") : 0;
    struct box b = box_of(&x->shape);

    box_steps(&b, 0, &x->shape, LAYOUT_PLAIN);
    box_order(&b, form<T>::layout);
    launch(device_of(a), dropout<T>, blocks_for(b.count), THREADS, a->op.rng, b, rate,
           (float)(rate < 1 ? 1 / (1 - rate) : 0), data<T>(x), data<T>(y));
}

/* ---- droppath ---- */

/* PER numbers of each sample.  */
template <class T>
__global__ void droppath(struct rng r, int64_t count, int64_t per, double rate, float scale,
                         const T *x, T *y)
{
    for (EACH (i, count)) {
        const float u = (float)(random_word(r, (uint64_t)(i / per)) >> 8) * 0x1p-24f;

        put(&y[i], u < rate ? 0 : get(x[i]) * scale);
    }
}

template <class T> static void droppath_run(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const int back = n->dir == DIR_BACKWARD;
    const struct tensor *x = back ? &a->op.dout[0] : &a->op.in[0];
    const struct tensor *y = back ? &a->op.din[0] : &a->op.out[0];
    const double rate = n->train ? attr_real(n, "rate") : 0;
    const int64_t count = tensor_count(x), samples = x->shape.dim[0];

    launch(device_of(a), droppath<T>, blocks_for(count), THREADS, a->op.rng, count,
           samples ? count / samples : 1, rate, (float)(rate < 1 ? 1 / (1 - rate) : 0), data<T>(x),
           data<T>(y));
}

/* clang-format off */
#define ONE(T, op_name, d, fn, ok)                                                                \
    {.name = "eltwise", .op = op_name, .dir = d, .dtypes = ANY, .reads = form<T>::layout,         \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = !form<T>::narrow,             \
     .accepts = ok, .run = fn<T>}
#define SIX(op_name, forward, backward, ok)                                                       \
    EACH_TYPE(ONE, op_name, DIR_FORWARD, forward, ok),                                            \
    EACH_TYPE(ONE, op_name, DIR_BACKWARD, backward, ok)
#define ACT(op_name, kind, p0, p1) SIX(op_name, act_run, act_run, NULL),
#define MATH(op_name) SIX(op_name, math_run, math_run, NULL)

extern "C" const struct kernel cuda_eltwise_kernels[] = {
    ACTS(ACT)
    MATH("erf"), MATH("exp"), MATH("log"), MATH("pow"), MATH("sqrt"),
    SIX("add", join_run, join_back, few_operands),
    SIX("mul", join_run, join_back, few_operands),
    SIX("div", join_run, join_back, few_operands),
    SIX("max", join_run, join_back, few_operands),
    SIX("dropout", dropout_run, dropout_run, NULL),
    SIX("droppath", droppath_run, droppath_run, NULL),
    {},
};
/* clang-format on */
