/* pool.cu -- the largest number or the mean under a window, and of a picture.
 * SPDX-License-Identifier: MIT
 *
 * A gradient is gathered: each input looks for the windows that have it, so
 * that no two threads write one number.  */
#include "cuda/conv.cuh"

/* ---- maxpool2d ---- */

template <class T> __global__ void max_forward(struct conv c, const T *x, T *y, int32_t *argmax)
{
    for (EACH (i, (int64_t)c.n * c.out[0] * c.out[1] * c.c)) {
        const int64_t channel = i % c.c;
        uint32_t p, q;
        const uint32_t line = divide(c.by_out[1], (uint32_t)(i / c.c), &q);
        const uint32_t n = divide(c.by_out[0], line, &p);
        int best = -1;
        float most = 0;

        for (int r = 0; r < c.kernel[0]; r++)
            for (int s = 0; s < c.kernel[1]; s++) {
                const int h = conv_input_at(c, 0, (int)p, r), w = conv_input_at(c, 1, (int)q, s);
                float v;

                if (h < 0 || h >= c.in[0] || w < 0 || w >= c.in[1])
                    continue;
                v = get(x[conv_pixel(c.in, n, h, w) * c.c + channel]);
                if (best < 0 || v > most || (v != v && most == most)) {
                    best = h * c.in[1] + w;
                    most = v;
                }
            }
        put(&y[i], most);
        if (argmax)
            argmax[i] = best;
    }
}

/* The first and the last output that may read input AT.  */
__device__ __forceinline__ void windows(const struct conv &c, int d, int at, int *lo, int *hi)
{
    const int from = at + c.pad[d] - c.kernel[d] + 1, to = (at + c.pad[d]) / c.stride[d];

    *lo = from <= 0 ? 0 : (from + c.stride[d] - 1) / c.stride[d];
    *hi = to < c.out[d] ? to : c.out[d] - 1;
}

template <class T>
__global__ void max_backward(struct conv c, const int32_t *argmax, const T *dy, T *dx)
{
    for (EACH (i, (int64_t)c.n * c.in[0] * c.in[1] * c.c)) {
        const int64_t channel = i % c.c;
        uint32_t h, w;
        const uint32_t line = divide(c.by_in[1], (uint32_t)(i / c.c), &w);
        const uint32_t n = divide(c.by_in[0], line, &h);
        const int own = (int)h * c.in[1] + (int)w;
        int p0, p1, q0, q1;
        float sum = 0;

        windows(c, 0, (int)h, &p0, &p1);
        windows(c, 1, (int)w, &q0, &q1);
        for (int p = p0; p <= p1; p++)
            for (int q = q0; q <= q1; q++) {
                const int64_t at = conv_pixel(c.out, n, p, q) * c.c + channel;

                if (argmax[at] == own)
                    sum += get(dy[at]);
            }
        put(&dx[i], sum);
    }
}

template <class T> static void max_run(const struct kernel_args *a)
{
    const struct tensor *x = &a->op.in[0], *y = &a->op.out[0];
    const struct conv c = conv_window(a->op.node, &x->shape, &y->shape);

    launch(device_of(a), max_forward<T>, blocks_for(tensor_count(y)), THREADS, c, data<T>(x),
           data<T>(y), data<int32_t>(&a->op.out[1]));
}

template <class T> static void max_back(const struct kernel_args *a)
{
    const struct tensor *dx = &a->op.din[0], *dy = &a->op.dout[0];
    const struct conv c = conv_window(a->op.node, &a->op.in[0].shape, &dy->shape);

    launch(device_of(a), max_backward<T>, blocks_for(tensor_count(dx)), THREADS, c,
           data<int32_t>(&a->op.out[1]), data<T>(dy), data<T>(dx));
}

/* ---- avgpool2d ---- */

/* What a window divides by: all of it, or what lies inside (padding behind
 * counts as far as it was asked for).  */
struct extent {
    int include_pad, end[2]; /* inputs and padding behind */
};

__device__ __forceinline__ int extent_of(const struct conv &c, const struct extent &e, int d, int p)
{
    const int from = p * c.stride[d] - c.pad[d], to = from + c.kernel[d];

    if (e.include_pad)
        return (to < e.end[d] ? to : e.end[d]) - from;
    return (to < c.in[d] ? to : c.in[d]) - (from > 0 ? from : 0);
}

template <class T> __global__ void avg_forward(struct conv c, struct extent e, const T *x, T *y)
{
    for (EACH (i, (int64_t)c.n * c.out[0] * c.out[1] * c.c)) {
        const int64_t channel = i % c.c;
        uint32_t p, q;
        const uint32_t line = divide(c.by_out[1], (uint32_t)(i / c.c), &q);
        const uint32_t n = divide(c.by_out[0], line, &p);
        float sum = 0;

        for (int r = 0; r < c.kernel[0]; r++)
            for (int s = 0; s < c.kernel[1]; s++) {
                const int h = conv_input_at(c, 0, (int)p, r), w = conv_input_at(c, 1, (int)q, s);

                if (h >= 0 && h < c.in[0] && w >= 0 && w < c.in[1])
                    sum += get(x[conv_pixel(c.in, n, h, w) * c.c + channel]);
            }
        put(&y[i], sum / (float)(extent_of(c, e, 0, (int)p) * extent_of(c, e, 1, (int)q)));
    }
}

template <class T> __global__ void avg_backward(struct conv c, struct extent e, const T *dy, T *dx)
{
    for (EACH (i, (int64_t)c.n * c.in[0] * c.in[1] * c.c)) {
        const int64_t channel = i % c.c;
        uint32_t h, w;
        const uint32_t line = divide(c.by_in[1], (uint32_t)(i / c.c), &w);
        const uint32_t n = divide(c.by_in[0], line, &h);
        int p0, p1, q0, q1;
        float sum = 0;

        windows(c, 0, (int)h, &p0, &p1);
        windows(c, 1, (int)w, &q0, &q1);
        for (int p = p0; p <= p1; p++)
            for (int q = q0; q <= q1; q++)
                sum += get(dy[conv_pixel(c.out, n, p, q) * c.c + channel]) /
                       (float)(extent_of(c, e, 0, p) * extent_of(c, e, 1, q));
        put(&dx[i], sum);
    }
}

static struct extent extent_for(const struct node *n, const struct shape *x, const struct shape *y)
{
    const struct window w = window_of(n, x, y);
    const struct extent e = {(int)attr_int(n, "count_include_pad"),
                             {(int)(w.in[0] + w.pad[2]), (int)(w.in[1] + w.pad[3])}};

    return e;
}

template <class T> static void avg_run(const struct kernel_args *a)
{
    const struct tensor *x = &a->op.in[0], *y = &a->op.out[0];

    launch(device_of(a), avg_forward<T>, blocks_for(tensor_count(y)), THREADS,
           conv_window(a->op.node, &x->shape, &y->shape),
           extent_for(a->op.node, &x->shape, &y->shape), data<T>(x), data<T>(y));
}

template <class T> static void avg_back(const struct kernel_args *a)
{
    const struct tensor *dx = &a->op.din[0], *dy = &a->op.dout[0];
    const struct shape *x = &a->op.in[0].shape;

    launch(device_of(a), avg_backward<T>, blocks_for(tensor_count(dx)), THREADS,
           conv_window(a->op.node, x, &dy->shape), extent_for(a->op.node, x, &dy->shape),
           data<T>(dy), data<T>(dx));
}

/* ---- globalavgpool ---- */

/* A block has 32 channels of one picture, 8 pixels at a time.  */
template <class T, class Y>
__global__ void mean_forward(int64_t area, int64_t channels, const T *x, Y *y)
{
    __shared__ float part[8][WARP];
    const int64_t c = (int64_t)blockIdx.x * WARP + threadIdx.x;
    const T *picture = x + blockIdx.y * area * channels;
    float sum = 0;

    for (int64_t i = threadIdx.y; i < area && c < channels; i += 8)
        sum += get(picture[i * channels + c]);
    part[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && c < channels) {
        for (int i = 1; i < 8; i++)
            sum += part[i][threadIdx.x];
        put(&y[blockIdx.y * channels + c], sum / (float)area);
    }
}

template <class T, class Y>
__global__ void mean_backward(int64_t count, int64_t area, int64_t channels, const Y *dy, T *dx)
{
    for (EACH (i, count))
        put(&dx[i], get(dy[i / (area * channels) * channels + i % channels]) / (float)area);
}

static int64_t area_of(const struct shape *s)
{
    return s->dim[2] * s->dim[3];
}

/* The result is of rank 2, of f32; or of rank 4, as T.  */
template <class T> static void mean_run(const struct kernel_args *a)
{
    const struct shape *x = &a->op.in[0].shape;
    const dim3 grid((unsigned)div_up(x->dim[1], WARP), (unsigned)x->dim[0]);

    if (a->op.out[0].shape.rank == 4)
        launch(device_of(a), mean_forward<T, T>, grid, dim3(WARP, 8), area_of(x), x->dim[1],
               data<T>(&a->op.in[0]), data<T>(&a->op.out[0]));
    else
        launch(device_of(a), mean_forward<T, float>, grid, dim3(WARP, 8), area_of(x), x->dim[1],
               data<T>(&a->op.in[0]), data<float>(&a->op.out[0]));
}

template <class T> static void mean_back(const struct kernel_args *a)
{
    const struct tensor *dx = &a->op.din[0], *dy = &a->op.dout[0];
    const int64_t count = tensor_count(dx);
    const struct shape *x = &dx->shape;

    if (dy->shape.rank == 4)
        launch(device_of(a), mean_backward<T, T>, blocks_for(count), THREADS, count, area_of(x),
               x->dim[1], data<T>(dy), data<T>(dx));
    else
        launch(device_of(a), mean_backward<T, float>, blocks_for(count), THREADS, count, area_of(x),
               x->dim[1], data<float>(dy), data<T>(dx));
}

static int fits(const struct step_nodes *s)
{
    const struct shape x = conv_input(s);

    return x.rank == 4 && x.dim[0] * x.dim[2] * x.dim[3] <= INT32_MAX;
}

/* clang-format off */
#define ONE(T, op_name, d, fn)                                                                    \
    {.name = "pool", .op = op_name, .dir = d, .dtypes = ANY, .reads = form<T>::layout,            \
     .writes = form<T>::layout, .narrow = form<T>::narrow,                                        \
     .pulls = !form<T>::narrow || d == DIR_BACKWARD, .accepts = fits, .run = fn<T>}
#define SIX(op_name, forward, backward)                                                           \
    EACH_TYPE(ONE, op_name, DIR_FORWARD, forward), EACH_TYPE(ONE, op_name, DIR_BACKWARD, backward)

extern "C" const struct kernel cuda_pool_kernels[] = {
    SIX("maxpool2d", max_run, max_back),
    SIX("avgpool2d", avg_run, avg_back),
    SIX("globalavgpool", mean_run, mean_back),
    {},
};
/* clang-format on */
