/* tokens.cu -- sequences: tokens in front, windows of pictures, tables.
 * SPDX-License-Identifier: MIT  */
#include "cuda/gemm.cuh"

extern "C" {
#include "op/partition.h"
}

/* ---- classtoken ---- */

/* Samples of y have FRONT numbers of the tokens, then REST of x.  */
struct front {
    int64_t n, front, rest;
};

template <class T>
__global__ void front_forward(struct front s, const T *x, const float *token, T *y)
{
    for (EACH (i, s.n * (s.front + s.rest))) {
        const int64_t n = i / (s.front + s.rest), at = i % (s.front + s.rest);

        put(&y[i], at < s.front ? token[at] : get(x[n * s.rest + at - s.front]));
    }
}

template <class T> __global__ void front_backward(struct front s, const T *dy, T *dx)
{
    for (EACH (i, s.n * s.rest))
        dx[i] = dy[i / s.rest * (s.front + s.rest) + s.front + i % s.rest];
}

template <class T> __global__ void front_sum(struct front s, const T *dy, float *dtoken)
{
    for (EACH (i, s.front)) {
        double sum = 0;

        for (int64_t n = 0; n < s.n; n++)
            sum += get(dy[n * (s.front + s.rest) + i]);
        dtoken[i] = (float)sum;
    }
}

static struct front front_of(const struct node *n, const struct shape *y)
{
    const int64_t front = attr_int(n, "count") * y->dim[2];

    return {y->dim[0], front, y->dim[1] * y->dim[2] - front};
}

template <class T> static void front_run(const struct kernel_args *a)
{
    const struct tensor *y = &a->op.out[0];

    launch(device_of(a), front_forward<T>, blocks_for(tensor_count(y)), THREADS,
           front_of(a->op.node, &y->shape), data<T>(&a->op.in[0]), data<float>(&a->op.in[1]),
           data<T>(y));
}

template <class T> static void front_back(const struct kernel_args *a)
{
    const struct tensor *dy = &a->op.dout[0];
    const struct front s = front_of(a->op.node, &dy->shape);
    T *dx = data<T>(&a->op.din[0]);
    float *dtoken = data<float>(&a->op.din[1]);

    if (dx)
        launch(device_of(a), front_backward<T>, blocks_for(s.n * s.rest), THREADS, s, data<T>(dy),
               dx);
    if (dtoken)
        launch(device_of(a), front_sum<T>, blocks_for(s.front), THREADS, s, data<T>(dy), dtoken);
}

/* ---- windowpartition, windowreverse ---- */

/* The row or column that AT of window W along AXIS is; -1 where the grid was
 * filled up.  */
__device__ __forceinline__ int64_t window_place(const struct partition &p, int axis, int64_t w,
                                                int64_t at)
{
    const int64_t i = (w * p.side + at + p.shift) % (p.windows[axis] * p.side);

    return i < p.grid[axis] ? i : -1;
}

/* Where row or column I stands in what was moved: the other way round.  */
__device__ __forceinline__ int64_t window_moved(const struct partition &p, int axis, int64_t i)
{
    const int64_t all = p.windows[axis] * p.side;

    return (i - p.shift + all) % all;
}

template <class T>
__global__ void cut_windows(struct partition p, int64_t count, int64_t channels, const T *x, T *y)
{
    for (EACH (i, count)) {
        const int64_t c = i % channels, t = i / channels % p.tokens;
        const int64_t w = i / channels / p.tokens % p.count, n = i / channels / p.tokens / p.count;
        const int64_t h = window_place(p, 0, w / p.windows[1], t / p.side);
        const int64_t v = window_place(p, 1, w % p.windows[1], t % p.side);

        y[i] = h < 0 || v < 0 ? T() : x[((n * p.grid[0] + h) * p.grid[1] + v) * channels + c];
    }
}

template <class T>
__global__ void put_windows(struct partition p, int64_t count, int64_t channels, const T *x, T *y)
{
    for (EACH (i, count)) {
        const int64_t c = i % channels, at = i / channels % (p.grid[0] * p.grid[1]);
        const int64_t n = i / channels / (p.grid[0] * p.grid[1]);
        const int64_t h = window_moved(p, 0, at / p.grid[1]);
        const int64_t v = window_moved(p, 1, at % p.grid[1]);
        const int64_t w = h / p.side * p.windows[1] + v / p.side;
        const int64_t t = h % p.side * p.side + v % p.side;

        y[i] = x[((n * p.count + w) * p.tokens + t) * channels + c];
    }
}

/* CUTS: forward cuts, backward puts together.  */
template <class T> static void windows(const struct kernel_args *a, int cuts)
{
    const struct node *n = a->op.node;
    const int back = n->dir == DIR_BACKWARD;
    const struct tensor *x = back ? &a->op.dout[0] : &a->op.in[0];
    const struct tensor *y = back ? &a->op.din[0] : &a->op.out[0];
    const int64_t count = tensor_count(y);

    launch(device_of(a), back == !cuts ? cut_windows<T> : put_windows<T>, blocks_for(count),
           THREADS, partition_of(n), count, y->shape.dim[2], data<T>(x), data<T>(y));
}

template <class T> static void partition_run(const struct kernel_args *a)
{
    windows<T>(a, 1);
}

template <class T> static void reverse_run(const struct kernel_args *a)
{
    windows<T>(a, 0);
}

/* ---- windowbias ---- */

/* partition_part(), of both axes.  */
__device__ __forceinline__ int window_part(const struct partition &p, int64_t w, int64_t t)
{
    const int64_t at[2] = {w / p.windows[1] * p.side + t / p.side,
                           w % p.windows[1] * p.side + t % p.side};
    int part = 0;

    for (int d = 0; d < 2; d++) {
        const int64_t end = p.windows[d] * p.side;

        part = 3 * part + (at[d] >= end - p.side) + (p.shift && at[d] >= end - p.shift);
    }
    return part;
}

__global__ void bias_forward(struct partition p, int64_t count, int64_t heads, const float *x,
                             float *y)
{
    const float mask = -100;
    const int64_t wide = 2 * p.side - 1;

    for (EACH (i, count)) {
        const int64_t u = i % p.tokens, t = i / p.tokens % p.tokens;
        const int64_t h = i / p.tokens / p.tokens % heads, w = i / p.tokens / p.tokens / heads;
        const int64_t down = t / p.side - u / p.side + p.side - 1;
        const int64_t across = t % p.side - u % p.side + p.side - 1;
        const float v = x[(down * wide + across) * heads + h];

        y[i] = p.shift && window_part(p, w, t) != window_part(p, w, u) ? v + mask : v;
    }
}

/* A block for each number of the table: the sum over the pairs of tokens that
 * are so far apart, of GROUPS windows.  */
__global__ void bias_backward(struct partition p, int64_t groups, int64_t heads, const float *dy,
                              float *dx)
{
    const int64_t wide = 2 * p.side - 1;

    for (int64_t r = blockIdx.x; r < wide * wide * heads; r += gridDim.x) {
        const int64_t h = r % heads, down = r / heads / wide - p.side + 1;
        const int64_t across = r / heads % wide - p.side + 1;
        double sum = 0;

        for (int64_t k = threadIdx.x; k < groups * p.tokens; k += THREADS) {
            const int64_t g = k / p.tokens, t = k % p.tokens;
            const int64_t i = t / p.side - down, j = t % p.side - across;

            if (i >= 0 && i < p.side && j >= 0 && j < p.side)
                sum += dy[((g * heads + h) * p.tokens + t) * p.tokens + i * p.side + j];
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0)
            dx[r] = (float)sum;
    }
}

static void bias_run(const struct kernel_args *a)
{
    const struct tensor *y = &a->op.out[0];

    launch(device_of(a), bias_forward, blocks_for(tensor_count(y)), THREADS,
           partition_of(a->op.node), tensor_count(y), y->shape.dim[1], data<float>(&a->op.in[0]),
           data<float>(y));
}

static void bias_back(const struct kernel_args *a)
{
    const struct tensor *dy = &a->op.dout[0], *dx = &a->op.din[0];

    launch(device_of(a), bias_backward, rows_grid(tensor_count(dx)), THREADS,
           partition_of(a->op.node), dy->shape.dim[0], dy->shape.dim[1], data<float>(dy),
           data<float>(dx));
}

/* ---- embedding ---- */

struct table {
    int64_t count, rows, dim;
};

__global__ void look_up(struct table t, const int64_t *x, const float *w, float *y)
{
    for (EACH (i, t.count * t.dim)) {
        const int64_t row = x[i / t.dim];

        y[i] = row >= 0 && row < t.rows ? w[row * t.dim + i % t.dim] : 0;
    }
}

/* A thread for each number of the table reads all of x: in its order.  */
__global__ void look_up_backward(struct table t, const int64_t *x, const float *dy, float *dw)
{
    for (EACH (i, t.rows * t.dim)) {
        const int64_t row = i / t.dim;
        float sum = 0;

        for (int64_t k = 0; k < t.count; k++)
            if (x[k] == row)
                sum += dy[k * t.dim + i % t.dim];
        dw[i] = sum;
    }
}

static struct table table_of(const struct kernel_args *a)
{
    return {tensor_count(&a->op.in[0]), attr_int(a->op.node, "rows"), attr_int(a->op.node, "dim")};
}

static void table_run(const struct kernel_args *a)
{
    const struct table t = table_of(a);

    launch(device_of(a), look_up, blocks_for(t.count * t.dim), THREADS, t,
           data<int64_t>(&a->op.in[0]), data<float>(&a->op.in[1]), data<float>(&a->op.out[0]));
}

static void table_back(const struct kernel_args *a)
{
    const struct table t = table_of(a);

    if (a->op.din[1].data)
        launch(device_of(a), look_up_backward, blocks_for(t.rows * t.dim), THREADS, t,
               data<int64_t>(&a->op.in[0]), data<float>(&a->op.dout[0]),
               data<float>(&a->op.din[1]));
}

/* clang-format off */
#define PLAIN(op_name, types, forward, backward)                                                  \
    {.name = "tokens", .op = op_name, .dir = DIR_FORWARD, .dtypes = types, .run = forward},       \
    {.name = "tokens", .op = op_name, .dir = DIR_BACKWARD, .dtypes = types, .run = backward}
#define ONE(T, op_name, d, fn)                                                                    \
    {.name = "tokens", .op = op_name, .dir = d, .dtypes = F32, .reads = form<T>::layout,          \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = !form<T>::narrow,             \
     .accepts = form<T>::narrow ? keeps_x : NULL, .run = fn<T>}
#define SIX(op_name, forward, backward)                                                           \
    EACH_TYPE(ONE, op_name, DIR_FORWARD, forward), EACH_TYPE(ONE, op_name, DIR_BACKWARD, backward)

extern "C" const struct kernel cuda_tokens_kernels[] = {
    SIX("classtoken", front_run, front_back),
    SIX("windowpartition", partition_run, partition_run),
    SIX("windowreverse", reverse_run, reverse_run),
    PLAIN("windowbias", F32, bias_run, bias_back),
    PLAIN("embedding", F32 | 1u << DTYPE_I64, table_run, table_back),
    {},
};
/* clang-format on */
