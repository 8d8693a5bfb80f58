/* channel.cu -- numbers learned for each channel (scale, prelu), and lrn.
 * SPDX-License-Identifier: MIT  */
#include <math.h>

#include "cuda/gemm.cuh"
#include "cuda/lines.cuh"
#include "cuda/pairs.cuh"

enum { X, WEIGHT };

/* Both ops are y = x or w x, by the sign of x or always.  */
template <class T>
__global__ void by_channel(struct lines s, int64_t count, int signs, const T *x, const float *w,
                           const T *v, T *y)
{
    for (EACH (i, count)) {
        const float at = get(v[i]);

        put(&y[i], signs && get(x[i]) > 0 ? at : w[line_place(s, i)] * at);
    }
}

/* dy x, where w counts.  Rows end at COUNT numbers.  */
template <class T> struct weight_terms {
    struct lines s;
    int64_t count;
    int signs;
    const T *x, *dy;

    __device__ float about(int64_t row, int64_t c) const
    {
        (void)row;
        (void)c;
        return 0;
    }

    __device__ void terms(int64_t row, int64_t c, float about, float *u, float *v) const
    {
        const int64_t at = line_at(s, row, c);

        (void)about;
        *u = 0;
        *v = at < count && !(signs && get(x[at]) > 0) ? get(dy[at]) * get(x[at]) : 0;
    }
};

static int is_one(const struct node *n)
{
    return node_is(n, "prelu") && !attr_int(n, "per_channel");
}

/* With one weight for all: the same rows of one number.  */
static struct lines channels(const struct node *n, const struct shape *x, enum layout l)
{
    return is_one(n) ? lines{shape_count(x), 1, 1} : lines_of(x, (int)attr_int(n, "axis"), l);
}

template <class T> static void channel_run(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const struct tensor *x = &a->op.in[X];
    const int64_t count = tensor_count(x);

    launch(device_of(a), by_channel<T>, blocks_for(count), THREADS,
           channels(n, &x->shape, form<T>::layout), count, node_is(n, "prelu"), data<T>(x),
           data<float>(&a->op.in[WEIGHT]), data<T>(x), data<T>(&a->op.out[0]));
}

/* One weight: 32 sums as if there were so many channels, then theirs.  */
template <class T>
static void one_weight(const struct kernel_args *a, const weight_terms<T> &all, float *dw)
{
    const struct rows r = {div_up(all.count, WARP), WARP};
    float *p = (float *)a->scratch;
    weight_terms<T> f = all;

    f.s = {r.rows, r.c, 1};
    pairs_run(device_of(a), r, f, p + WARP, NULL, p);
    launch(device_of(a), gemm_join<in_order>, 1, THREADS, p, 1, WARP, in_order(), dw);
}

template <class T> static void channel_back(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const struct tensor *din = a->op.din;
    const struct shape *x = &a->op.in[X].shape;
    const int64_t count = shape_count(x);
    const struct lines s = channels(n, x, form<T>::layout);
    const weight_terms<T> f = {s, count, node_is(n, "prelu"), data<T>(&a->op.in[X]),
                               data<T>(&a->op.dout[0])};

    if (din[X].data)
        launch(device_of(a), by_channel<T>, blocks_for(count), THREADS, s, count, f.signs, f.x,
               data<float>(&a->op.in[WEIGHT]), f.dy, data<T>(&din[X]));
    if (din[WEIGHT].data && is_one(n))
        one_weight(a, f, data<float>(&din[WEIGHT]));
    else if (din[WEIGHT].data)
        pairs_run(device_of(a), {s.rows, s.size}, f, (float *)a->scratch, (float *)NULL,
                  data<float>(&din[WEIGHT]));
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    const struct shape x = x_shape(s);
    const int64_t count = shape_count(&x);
    const int64_t c = is_one(n) ? (int64_t)WARP : x.dim[attr_int(n, "axis")];

    (void)threads;
    return pairs_scratch({c ? div_up(count, c) : 0, c}) + WARP * sizeof(float);
}

/* ---- lrn ---- */

struct response {
    int64_t reach;
    float k, share, beta;
};

struct reach {
    int64_t lo, hi;
};

__device__ __forceinline__ struct reach around(const struct lines &s, const struct response &l,
                                               int64_t c)
{
    return {c > l.reach ? c - l.reach : 0, c + l.reach < s.size ? c + l.reach : s.size - 1};
}

template <class T>
__device__ float response_at(const struct lines &s, const struct response &l, int64_t row,
                             int64_t c, const T *x)
{
    const struct reach w = around(s, l, c);
    float sum = 0;

    for (int64_t d = w.lo; d <= w.hi; d++) {
        const float v = get(x[line_at(s, row, d)]);

        sum += v * v;
    }
    return l.k + l.share * sum;
}

template <class T> __global__ void lrn_forward(struct lines s, struct response l, const T *x, T *y)
{
    for (EACH (i, s.rows * s.size)) {
        const int64_t row = i / s.size, c = i % s.size, at = line_at(s, row, c);

        put(&y[at], get(x[at]) * powf(response_at(s, l, row, c, x), -l.beta));
    }
}

template <class T>
__global__ void lrn_backward(struct lines s, struct response l, const T *x, const T *dy, T *dx)
{
    for (EACH (i, s.rows * s.size)) {
        const int64_t row = i / s.size, c = i % s.size, at = line_at(s, row, c);
        const struct reach w = around(s, l, c);
        float sum = 0;

        for (int64_t d = w.lo; d <= w.hi; d++) {
            const int64_t k = line_at(s, row, d);

            sum += get(dy[k]) * get(x[k]) * powf(response_at(s, l, row, d, x), -l.beta - 1);
        }
        put(&dx[at], get(dy[at]) * powf(response_at(s, l, row, c, x), -l.beta) -
                         2 * l.share * l.beta * get(x[at]) * sum);
    }
}

static struct response response_of(const struct node *n)
{
    const int64_t size = attr_int(n, "size");

    return {size / 2, (float)attr_real(n, "k"), (float)(attr_real(n, "alpha") / (double)size),
            (float)attr_real(n, "beta")};
}

template <class T> static void lrn_run(const struct kernel_args *a)
{
    const struct tensor *x = &a->op.in[X];

    launch(device_of(a), lrn_forward<T>, blocks_for(tensor_count(x)), THREADS,
           lines_of(&x->shape, 1, form<T>::layout), response_of(a->op.node), data<T>(x),
           data<T>(&a->op.out[0]));
}

template <class T> static void lrn_back(const struct kernel_args *a)
{
    const struct tensor *x = &a->op.in[X];

    launch(device_of(a), lrn_backward<T>, blocks_for(tensor_count(x)), THREADS,
           lines_of(&x->shape, 1, form<T>::layout), response_of(a->op.node), data<T>(x),
           data<T>(&a->op.dout[0]), data<T>(&a->op.din[X]));
}

/* clang-format off */
#define ONE(T, op_name, d, fn, bytes)                                                             \
    {.name = "channel", .op = op_name, .dir = d, .dtypes = F32, .reads = form<T>::layout,         \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = !form<T>::narrow,             \
     .accepts = is_computed, .scratch = bytes, .run = fn<T>}
#define SIX(op_name, forward, backward, bytes)                                                    \
    EACH_TYPE(ONE, op_name, DIR_FORWARD, forward, NULL),                                          \
    EACH_TYPE(ONE, op_name, DIR_BACKWARD, backward, bytes)

extern "C" const struct kernel cuda_channel_kernels[] = {
    SIX("scale", channel_run, channel_back, scratch),
    SIX("prelu", channel_run, channel_back, scratch),
    SIX("lrn", lrn_run, lrn_back, NULL),
    {},
};
/* clang-format on */
