/* samplenorm.cu -- normalisation within each sample: layernorm, l2norm,
 * groupnorm, instancenorm.
 * SPDX-License-Identifier: MIT
 *
 * A warp has a row along an axis, a block a group of channels.  Mean and
 * variance take two passes over numbers that lie in the cache by then.  */
#include <math.h>

#include "cuda/lines.cuh"
#include "cuda/pairs.cuh"

enum { X, WEIGHT, BIAS };
enum { Y, MEAN, INVSTD };

/* ---- layernorm ---- */

template <class T> __device__ float row_mean(const struct lines &s, int64_t r, const T *x)
{
    float sum = 0;

    for (int64_t c = threadIdx.x % WARP; c < s.size; c += WARP)
        sum += get(x[line_at(s, r, c)]);
    return warp_total(sum) / (float)s.size;
}

template <class T>
__device__ float row_var(const struct lines &s, int64_t r, const T *x, float mean)
{
    float sum = 0;

    for (int64_t c = threadIdx.x % WARP; c < s.size; c += WARP) {
        const float d = get(x[line_at(s, r, c)]) - mean;

        sum += d * d;
    }
    return warp_total(sum) / (float)s.size;
}

template <class T>
__global__ void layer_forward(struct lines s, float eps, const T *x, const float *w, const float *b,
                              T *y, float *means, float *invstds)
{
    for (WARPS(r, s.rows)) {
        const float mean = row_mean(s, r, x);
        const float invstd = 1 / sqrtf(row_var(s, r, x, mean) + eps);

        for (int64_t c = threadIdx.x % WARP; c < s.size; c += WARP) {
            const int64_t at = line_at(s, r, c);

            put(&y[at], (get(x[at]) - mean) * invstd * (w ? w[c] : 1) + (b ? b[c] : 0));
        }
        if (threadIdx.x % WARP == 0 && means)
            means[r] = mean;
        if (threadIdx.x % WARP == 0 && invstds)
            invstds[r] = invstd;
    }
}

template <class T>
__global__ void layer_backward(struct lines s, const T *x, const float *w, const float *means,
                               const float *invstds, const T *dy, T *dx)
{
    for (WARPS(r, s.rows)) {
        const float mean = means[r], invstd = invstds[r];
        float g_mean = 0, gh_mean = 0;

        for (int64_t c = threadIdx.x % WARP; c < s.size; c += WARP) {
            const int64_t at = line_at(s, r, c);
            const float g = get(dy[at]) * (w ? w[c] : 1);

            g_mean += g;
            gh_mean += g * ((get(x[at]) - mean) * invstd);
        }
        g_mean = warp_total(g_mean) / (float)s.size;
        gh_mean = warp_total(gh_mean) / (float)s.size;
        for (int64_t c = threadIdx.x % WARP; c < s.size; c += WARP) {
            const int64_t at = line_at(s, r, c);
            const float g = get(dy[at]) * (w ? w[c] : 1);

            put(&dx[at], invstd * (g - g_mean - (get(x[at]) - mean) * invstd * gh_mean));
        }
    }
}

/* Sums of dy and of dy (x - mean) invstd.  */
template <class T> struct layer_terms {
    struct lines s;
    const T *x, *dy;
    const float *means, *invstds;

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
        *u = get(dy[at]);
        *v = *u * ((get(x[at]) - means[row]) * invstds[row]);
    }
};

/* As it lies in layout L.  */
static struct lines normed(const struct kernel_args *a, enum layout l)
{
    return lines_of(&a->op.in[X].shape, (int)attr_int(a->op.node, "axis"), l);
}

template <class T, enum layout L> static void layer_run(const struct kernel_args *a)
{
    const struct tensor *in = a->op.in, *out = a->op.out;
    const struct lines s = normed(a, L);

    launch(device_of(a), layer_forward<T>, warps_for(s.rows), THREADS, s,
           (float)attr_real(a->op.node, "eps"), data<T>(&in[X]), data<float>(&in[WEIGHT]),
           data<float>(&in[BIAS]), data<T>(&out[Y]), data<float>(&out[MEAN]),
           data<float>(&out[INVSTD]));
}

template <class T, enum layout L> static void layer_back(const struct kernel_args *a)
{
    const struct tensor *in = a->op.in, *out = a->op.out, *din = a->op.din;
    const struct lines s = normed(a, L);
    const T *x = data<T>(&in[X]), *dy = data<T>(&a->op.dout[0]);
    const float *means = data<float>(&out[MEAN]), *invstds = data<float>(&out[INVSTD]);

    if (din[X].data)
        launch(device_of(a), layer_backward<T>, warps_for(s.rows), THREADS, s, x,
               data<float>(&in[WEIGHT]), means, invstds, dy, data<T>(&din[X]));
    if (din[WEIGHT].data || din[BIAS].data)
        pairs_run(device_of(a), {s.rows, s.size}, layer_terms<T>{s, x, dy, means, invstds},
                  (float *)a->scratch, data<float>(&din[BIAS]), data<float>(&din[WEIGHT]));
}

static size_t layer_scratch(const struct step_nodes *s, int threads)
{
    const struct shape x = x_shape(s);
    const int64_t c = x.dim[attr_int(s->node[0], "axis")];

    (void)threads;
    return pairs_scratch({c ? shape_count(&x) / c : 0, c});
}

/* Mean and invstd are counted as rows lie; where the channels stand last, that
 * is their order in the result too.  */
static int is_channels(const struct step_nodes *s)
{
    return x_shape(s).rank == 4 && attr_int(s->node[0], "axis") == 1 && is_computed(s);
}

static int is_channels_or_rows(const struct step_nodes *s)
{
    return is_channels(s) || (x_shape(s).rank != 4 && keeps_x(s));
}

/* ---- l2norm ---- */

template <class T>
__device__ float row_square(const struct lines &s, int64_t r, const T *x, const T *y)
{
    float sum = 0;

    for (int64_t c = threadIdx.x % WARP; c < s.size; c += WARP) {
        const int64_t at = line_at(s, r, c);

        sum += get(x[at]) * get(y[at]);
    }
    return warp_total(sum);
}

template <class T> __global__ void length_forward(struct lines s, float eps, const T *x, T *y)
{
    for (WARPS(r, s.rows)) {
        const float d = fmaxf(sqrtf(row_square(s, r, x, x)), eps);

        for (int64_t c = threadIdx.x % WARP; c < s.size; c += WARP) {
            const int64_t at = line_at(s, r, c);

            put(&y[at], get(x[at]) / d);
        }
    }
}

template <class T>
__global__ void length_backward(struct lines s, float eps, const T *x, const T *dy, T *dx)
{
    for (WARPS(r, s.rows)) {
        const float l = sqrtf(row_square(s, r, x, x)), d = fmaxf(l, eps);
        const float sum = row_square(s, r, x, dy);

        for (int64_t c = threadIdx.x % WARP; c < s.size; c += WARP) {
            const int64_t at = line_at(s, r, c);
            const float along = l >= eps ? get(x[at]) / d * (sum / d) : 0;

            put(&dx[at], (get(dy[at]) - along) / d);
        }
    }
}

template <class T> static void length_run(const struct kernel_args *a)
{
    const struct lines s = normed(a, form<T>::layout);

    launch(device_of(a), length_forward<T>, warps_for(s.rows), THREADS, s,
           (float)attr_real(a->op.node, "eps"), data<T>(&a->op.in[X]), data<T>(&a->op.out[Y]));
}

template <class T> static void length_back(const struct kernel_args *a)
{
    const struct lines s = normed(a, form<T>::layout);

    launch(device_of(a), length_backward<T>, warps_for(s.rows), THREADS, s,
           (float)attr_real(a->op.node, "eps"), data<T>(&a->op.in[X]), data<T>(&a->op.dout[0]),
           data<T>(&a->op.din[X]));
}

/* ---- groupnorm, instancenorm ---- */

/* GROUPS of C channels with INNER numbers each; channels stand last, or in
 * front of those.  */
struct cut {
    int64_t c, inner, groups, count; /* COUNT: groups of all samples */
    int last;
};

__device__ __forceinline__ int64_t cut_at(const struct cut &s, int64_t g, int64_t i)
{
    if (!s.last)
        return g * s.c * s.inner + i;
    return (g / s.groups * s.inner + i / s.c) * s.c * s.groups + g % s.groups * s.c + i % s.c;
}

__device__ __forceinline__ int64_t cut_channel(const struct cut &s, int64_t g, int64_t i)
{
    return g % s.groups * s.c + (s.last ? i % s.c : i / s.inner);
}

template <class T>
__global__ void group_forward(struct cut s, float eps, const T *x, const float *w, const float *b,
                              T *y, float *means, float *invstds)
{
    const int64_t size = s.c * s.inner;

    for (int64_t g = blockIdx.x; g < s.count; g += gridDim.x) {
        float sum = 0, square = 0, mean, invstd;

        for (int64_t i = threadIdx.x; i < size; i += THREADS)
            sum += get(x[cut_at(s, g, i)]);
        mean = block_total(sum) / (float)size;
        for (int64_t i = threadIdx.x; i < size; i += THREADS) {
            const float d = get(x[cut_at(s, g, i)]) - mean;

            square += d * d;
        }
        invstd = 1 / sqrtf(block_total(square) / (float)size + eps);
        for (int64_t i = threadIdx.x; i < size; i += THREADS) {
            const int64_t at = cut_at(s, g, i), c = cut_channel(s, g, i);

            put(&y[at], (get(x[at]) - mean) * invstd * (w ? w[c] : 1) + (b ? b[c] : 0));
        }
        if (threadIdx.x == 0 && means)
            means[g] = mean;
        if (threadIdx.x == 0 && invstds)
            invstds[g] = invstd;
    }
}

template <class T>
__global__ void group_backward(struct cut s, const T *x, const float *w, const float *means,
                               const float *invstds, const T *dy, T *dx)
{
    const int64_t size = s.c * s.inner;

    for (int64_t g = blockIdx.x; g < s.count; g += gridDim.x) {
        const float mean = means[g], invstd = invstds[g];
        float g_mean = 0, gh_mean = 0;

        for (int64_t i = threadIdx.x; i < size; i += THREADS) {
            const int64_t at = cut_at(s, g, i);
            const float d = get(dy[at]) * (w ? w[cut_channel(s, g, i)] : 1);

            g_mean += d;
            gh_mean += d * ((get(x[at]) - mean) * invstd);
        }
        g_mean = block_total(g_mean) / (float)size;
        gh_mean = block_total(gh_mean) / (float)size;
        for (int64_t i = threadIdx.x; i < size; i += THREADS) {
            const int64_t at = cut_at(s, g, i);
            const float d = get(dy[at]) * (w ? w[cut_channel(s, g, i)] : 1);

            put(&dx[at], invstd * (d - g_mean - (get(x[at]) - mean) * invstd * gh_mean));
        }
    }
}

/* The same sums as above; a row has a place of one sample.  */
template <class T> struct group_terms {
    struct cut s;
    const T *x, *dy;
    const float *means, *invstds;

    __device__ float about(int64_t row, int64_t c) const
    {
        (void)row;
        (void)c;
        return 0;
    }

    __device__ void terms(int64_t row, int64_t c, float about, float *u, float *v) const
    {
        const int64_t n = row / s.inner, all = s.c * s.groups, g = n * s.groups + c / s.c;
        const int64_t at = s.last ? row * all + c : (n * all + c) * s.inner + row % s.inner;

        (void)about;
        *u = get(dy[at]);
        *v = *u * ((get(x[at]) - means[g]) * invstds[g]);
    }
};

static struct cut cut_of(const struct node *n, const struct shape *x)
{
    const int64_t groups = node_is(n, "groupnorm") ? attr_int(n, "groups") : x->dim[1];
    struct cut s = {x->dim[1] / groups, 1, groups, x->dim[0] * groups, x->rank == 4};

    for (int d = 2; d < x->rank; d++)
        s.inner *= x->dim[d];
    return s;
}

template <class T> static void group_run(const struct kernel_args *a)
{
    const struct tensor *in = a->op.in, *out = a->op.out;
    const struct cut s = cut_of(a->op.node, &in[X].shape);

    launch(device_of(a), group_forward<T>, rows_grid(s.count), THREADS, s,
           (float)attr_real(a->op.node, "eps"), data<T>(&in[X]), data<float>(&in[WEIGHT]),
           data<float>(&in[BIAS]), data<T>(&out[Y]), data<float>(&out[MEAN]),
           data<float>(&out[INVSTD]));
}

template <class T> static void group_back(const struct kernel_args *a)
{
    const struct tensor *in = a->op.in, *out = a->op.out, *din = a->op.din;
    const struct cut s = cut_of(a->op.node, &in[X].shape);
    const struct rows r = {s.count / s.groups * s.inner, s.c * s.groups};
    const T *x = data<T>(&in[X]), *dy = data<T>(&a->op.dout[0]);
    const float *means = data<float>(&out[MEAN]), *invstds = data<float>(&out[INVSTD]);

    if (din[X].data)
        launch(device_of(a), group_backward<T>, rows_grid(s.count), THREADS, s, x,
               data<float>(&in[WEIGHT]), means, invstds, dy, data<T>(&din[X]));
    if (din[WEIGHT].data || din[BIAS].data)
        pairs_run(device_of(a), r, group_terms<T>{s, x, dy, means, invstds}, (float *)a->scratch,
                  data<float>(&din[BIAS]), data<float>(&din[WEIGHT]));
}

static size_t group_scratch(const struct step_nodes *s, int threads)
{
    const struct shape x = x_shape(s);
    const int64_t c = x.dim[1];

    (void)threads;
    return pairs_scratch({c ? shape_count(&x) / c : 0, c});
}

/* clang-format off */
#define OFFER(op_name, T, L, d, ok, bytes, ...)                                                   \
    {.name = "samplenorm", .op = op_name, .dir = d, .dtypes = F32, .reads = L, .writes = L,       \
     .narrow = form<T>::narrow, .pulls = !form<T>::narrow, .accepts = ok, .scratch = bytes,       \
     .run = __VA_ARGS__}
#define LAYER(T, L, ok)                                                                           \
    OFFER("layernorm", T, L, DIR_FORWARD, ok, NULL, (layer_run<T, L>)),                           \
    OFFER("layernorm", T, L, DIR_BACKWARD, ok, layer_scratch, (layer_back<T, L>))
#define NARROW_LAYER(T, ok) LAYER(T, form<T>::layout, ok)
#define TWO(T, op_name, forward, backward, bytes)                                                 \
    OFFER(op_name, T, form<T>::layout, DIR_FORWARD, is_computed, NULL, forward<T>),               \
    OFFER(op_name, T, form<T>::layout, DIR_BACKWARD, is_computed, bytes, backward<T>)
#define SIX(...) EACH_TYPE(TWO, __VA_ARGS__)

extern "C" const struct kernel cuda_samplenorm_kernels[] = {
    NARROW_TYPES(NARROW_LAYER, is_channels_or_rows),
    LAYER(float, LAYOUT_NHWC, is_channels),
    LAYER(float, LAYOUT_PLAIN, NULL),
    SIX("l2norm", length_run, length_back, NULL),
    SIX("groupnorm", group_run, group_back, group_scratch),
    SIX("instancenorm", group_run, group_back, group_scratch),
    {},
};
/* clang-format on */
