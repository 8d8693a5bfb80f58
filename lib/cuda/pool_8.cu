/* pool_8.cu -- pooling of u8 values.
 * SPDX-License-Identifier: MIT
 *
 * Sums of a window are exact; the largest of its numbers is that of their
 * levels, which moves to the result's grid at the end.  */
#include "cuda/conv.cuh"
#include "cuda/finish_8.cuh"

/* Window and grids, and what a mean divides by.  */
struct pool_8 {
    struct conv c;
    struct regrid r;
    int zero, include_pad, end[2]; /* inputs and padding behind */
    const uint8_t *x;
    uint8_t *y;
};

static struct pool_8 pool_of(const struct kernel_args *a)
{
    const struct shape *x = &a->op.in[0].shape;
    struct pool_8 p = {};

    p.r = regrid_of(a->step, 0);
    p.zero = (int)p.r.zero;
    p.x = data<uint8_t>(&a->op.in[0]);
    p.y = data<uint8_t>(&a->op.out[0]);
    p.c.c = (int)x->dim[1];
    p.c.in[0] = (int)x->dim[2];
    p.c.in[1] = (int)x->dim[3];
    return p;
}

static struct pool_8 windows_of(const struct kernel_args *a)
{
    struct pool_8 p = pool_of(a);
    const struct window w = window_of(a->op.node, &a->op.in[0].shape, &a->op.out[0].shape);

    p.c = conv_window(a->op.node, &a->op.in[0].shape, &a->op.out[0].shape);
    p.end[0] = (int)(w.in[0] + w.pad[2]);
    p.end[1] = (int)(w.in[1] + w.pad[3]);
    return p;
}

/* A window: its first tap, and those that lie inside.  */
struct reach {
    int from, lo, hi;
};

__device__ __forceinline__ struct reach reach_of(const struct conv &c, int d, int p)
{
    struct reach r = {conv_input_at(c, d, p, 0), 0, c.kernel[d]};

    while (r.from + r.lo * c.dilation[d] < 0)
        r.lo++;
    while (r.from + (r.hi - 1) * c.dilation[d] >= c.in[d])
        r.hi--;
    return r;
}

/* Number I of y: its windows, the pixel in which they begin, and the channel
 * that V of them begin with.  */
struct view {
    struct reach h, w;
    int64_t n;
    int channel;
};

template <int V> __device__ __forceinline__ struct view view_of(const struct conv &c, int64_t i)
{
    const int64_t parts = c.c / V;
    uint32_t p, q;
    const uint32_t line = divide(c.by_out[1], (uint32_t)(i / parts), &q);
    const uint32_t n = divide(c.by_out[0], line, &p);

    return {reach_of(c, 0, (int)p), reach_of(c, 1, (int)q), (int64_t)n, (int)(i % parts) * V};
}

template <int V>
__device__ __forceinline__ struct bytes<V> tap_at(const struct pool_8 &p, const struct view &v,
                                                  int r, int s) {
    const int h = v.h.from + r * p.c.dilation[0], w = v.w.from + s * p.c.dilation[1];

    return bytes_at<V>(p.x + conv_pixel(p.c.in, (uint32_t)v.n, h, w) * p.c.c + v.channel);
}

__device__ __forceinline__ int64_t
parts_in(const struct conv &c, int v)
{
    return (int64_t)c.n * c.out[0] * c.out[1] * (c.c / v);
}

/* ---- the largest ---- */

template <int V> __global__ void largest_8(struct pool_8 p)
{
    for (EACH (i, parts_in(p.c, V))) {
        const struct view v = view_of<V>(p.c, i);
        struct bytes<V> most = {
        };

        for (int r = v.h.lo; r < v.h.hi; r++)
            for (int s = v.w.lo; s < v.w.hi; s++) {
                const struct bytes<V> x = tap_at<V>(p, v, r, s);

#pragma unroll
                for (int k = 0; k < V; k++)
                    most.v[k] = x.v[k] > most.v[k] ? x.v[k] : most.v[k];
            }
#pragma unroll
        for (int k = 0; k < V; k++)
            most.v[k] = regridded(p.r, most.v[k]);
        *(struct bytes<V> *)(p.y + i * V) = most;
    }
}

static void max_run(const struct kernel_args *a)
{
    const struct pool_8 p = windows_of(a);
    const int64_t count = tensor_count(&a->op.out[0]);

    if (p.c.c % 4)
        launch(device_of(a), largest_8<1>, blocks_for(count), THREADS, p);
    else
        launch(device_of(a), largest_8<4>, blocks_for(count / 4), THREADS, p);
}

/* ---- means ---- */

/* Of N numbers of which INSIDE have the sum SUM of levels.  */
__device__ __forceinline__ uint8_t mean_8(const struct pool_8 &p, int sum, int inside, int64_t n)
{
    const float f = p.r.scale / __fmul_rn(p.r.step, (float)n);

    return (uint8_t)level_of(p.r.to, __fmul_rn((float)(sum - p.zero * inside), f));
}

/* How many taps count along direction D, with padding: that beyond it never
 * does.  */
__device__ __forceinline__ int counted(const struct pool_8 &p, const struct reach &r, int d)
{
    const int to = r.from + p.c.kernel[d];

    return (to < p.end[d] ? to : p.end[d]) - r.from;
}

template <int V> __global__ void means_8(struct pool_8 p)
{
    for (EACH (i, parts_in(p.c, V))) {
        const struct view v = view_of<V>(p.c, i);
        const int inside = (v.h.hi - v.h.lo) * (v.w.hi - v.w.lo);
        const int all = p.include_pad ? counted(p, v.h, 0) * counted(p, v.w, 1) : inside;
        struct bytes<V> y;
        int sum[V] = {};

        for (int r = v.h.lo; r < v.h.hi; r++)
            for (int s = v.w.lo; s < v.w.hi; s++) {
                const struct bytes<V> x = tap_at<V>(p, v, r, s);

#pragma unroll
                for (int k = 0; k < V; k++)
                    sum[k] += x.v[k];
            }
#pragma unroll
        for (int k = 0; k < V; k++)
            y.v[k] = mean_8(p, sum[k], inside, all);
        *(struct bytes<V> *)(p.y + i * V) = y;
    }
}

static void average_run(const struct kernel_args *a)
{
    struct pool_8 p = windows_of(a);
    const int64_t count = tensor_count(&a->op.out[0]);

    p.include_pad = (int)attr_int(a->op.node, "count_include_pad");
    if (p.c.c % 4)
        launch(device_of(a), means_8<1>, blocks_for(count), THREADS, p);
    else
        launch(device_of(a), means_8<4>, blocks_for(count / 4), THREADS, p);
}

/* A block has 32 channels of one picture, 8 pixels at a time.  */
__global__ void picture_means(struct pool_8 p)
{
    __shared__ int part[8][WARP];
    const int c = blockIdx.x * WARP + threadIdx.x, area = p.c.in[0] * p.c.in[1];
    const uint8_t *picture = p.x + (int64_t)blockIdx.y * area * p.c.c;
    int sum = 0;

    for (int64_t i = threadIdx.y; i < area && c < p.c.c; i += 8)
        sum += picture[i * p.c.c + c];
    part[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && c < p.c.c) {
        for (int i = 1; i < 8; i++)
            sum += part[i][threadIdx.x];
        p.y[(int64_t)blockIdx.y * p.c.c + c] = mean_8(p, sum, area, area);
    }
}

static void mean_run(const struct kernel_args *a)
{
    const struct shape *x = &a->op.in[0].shape;

    launch(device_of(a), picture_means,
           dim3((unsigned)div_up(x->dim[1], WARP), (unsigned)x->dim[0]), dim3(WARP, 8), pool_of(a));
}

/* ---- which steps ---- */

/* Sums of bytes fit 31 bits.  */
static int fits(const struct step_nodes *s)
{
    const struct shape x = conv_input(s);

    return x.rank == 4 && stays_u8(s) && x.dim[0] * x.dim[2] * x.dim[3] <= INT32_MAX &&
           x.dim[2] * x.dim[3] <= INT32_MAX / 255 && x.dim[0] <= UINT16_MAX;
}

/* Nobody asks where the largest number was.  */
static int max_fits(const struct step_nodes *s)
{
    const struct value *argmax = s->node[0]->out[1];

    return fits(s) && !argmax->n_use && !value_is_output(s->node[0]->graph, argmax);
}

/* clang-format off */
#define OFFER(op_name, ok, fn)                                                                    \
    {.name = op_name "_8", .op = op_name, .dir = DIR_FORWARD, .dtypes = 1u << DTYPE_U8,           \
     .reads = LAYOUT_NHWC, .writes = LAYOUT_NHWC, .pulls = 1, .epilogue = quant8_follow,          \
     .quantised = 1, .accepts = ok, .run = fn}

extern "C" const struct kernel cuda_pool_8_kernels[] = {
    OFFER("maxpool2d", max_fits, max_run),
    OFFER("avgpool2d", fits, average_run),
    OFFER("globalavgpool", fits, mean_run),
    {},
};
/* clang-format on */
