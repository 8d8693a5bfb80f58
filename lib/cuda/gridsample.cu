/* gridsample.cu -- pictures read at the places of a grid, and such a grid.
 * SPDX-License-Identifier: MIT
 *
 * Channels stand last, so that the four numbers around a place are four rows
 * of them.  The gradient of x is gathered: a warp has a pixel, looks at every
 * place of the grid and takes what comes from it, in their order.  */
#include <math.h>
#include <string.h>

#include "cuda/lines.cuh"

enum { X, GRID };

/* ---- gridsample ---- */

struct sampling {
    int64_t c, in[2], out; /* channels, height and width, places */
    int64_t lines;         /* of places */
    int align, border;
};

/* A place between pixels: LO, the share of the next, the slope of the place. */
struct spot {
    int64_t lo;
    float part, slope;
};

__device__ __forceinline__ struct spot spot_of(const struct sampling &s, int d, float u)
{
    const double size = (double)s.in[d], last = size - 1;
    double at = s.align ? ((double)u + 1) * last / 2 : (((double)u + 1) * size - 1) / 2;
    struct spot r = {-2, 0, (float)((s.align ? last : size) / 2)};

    if (s.border && !(at > 0 && at < last)) {
        r.slope = 0;
        at = at >= last ? last : 0;
    }
    if (at >= -1 && at < size) {
        r.lo = (int64_t)floor(at);
        r.part = (float)(at - floor(at));
    }
    return r;
}

/* The share of pixel AT.  */
__device__ __forceinline__ float spot_share(const struct spot &s, int64_t at)
{
    return at == s.lo ? 1 - s.part : at == s.lo + 1 ? s.part : 0;
}

template <class T>
__device__ float sample(const struct sampling &s, const T *x, int64_t n, int64_t h, int64_t w,
                        int64_t c)
{
    if (h < 0 || h >= s.in[0] || w < 0 || w >= s.in[1])
        return 0;
    return get(x[((n * s.in[0] + h) * s.in[1] + w) * s.c + c]);
}

/* The grid lies plain: [n][place][2].  A place outside has no pixel, as those
 * around it are -2 and -1.  */
template <class T>
__global__ void sample_forward(struct sampling s, int64_t count, const T *x, const float *grid,
                               T *y)
{
    for (EACH (i, count)) {
        const int64_t c = i % s.c, at = i / s.c, n = at / s.out;
        const struct spot h = spot_of(s, 0, grid[2 * at + 1]), w = spot_of(s, 1, grid[2 * at]);
        float sum = 0;

        for (int k = 0; k < 4; k++) {
            const float part = (k / 2 ? h.part : 1 - h.part) * (k % 2 ? w.part : 1 - w.part);

            sum += part * sample(s, x, n, h.lo + k / 2, w.lo + k % 2, c);
        }
        put(&y[i], sum);
    }
}

template <class T>
__global__ void sample_backward(struct sampling s, int64_t pixels, const float *grid, const T *dy,
                                T *dx)
{
    for (WARPS(r, pixels)) {
        const int64_t n = r / s.in[1] / s.in[0], h = r / s.in[1] % s.in[0], w = r % s.in[1];

        for (int64_t c = threadIdx.x % WARP; c < s.c; c += WARP) {
            float sum = 0;

            for (int64_t i = n * s.out; i < (n + 1) * s.out; i++) {
                const float u = spot_share(spot_of(s, 0, grid[2 * i + 1]), h);
                const float v = u != 0 ? spot_share(spot_of(s, 1, grid[2 * i]), w) : 0;

                if (v != 0)
                    sum += u * v * get(dy[i * s.c + c]);
            }
            put(&dx[r * s.c + c], sum);
        }
    }
}

/* A warp for each place.  */
template <class T>
__global__ void grid_backward(struct sampling s, int64_t places, const T *x, const float *grid,
                              const T *dy, float *dgrid)
{
    for (WARPS(r, places)) {
        const struct spot h = spot_of(s, 0, grid[2 * r + 1]), w = spot_of(s, 1, grid[2 * r]);
        const int64_t n = r / s.out;
        float down = 0, right = 0;

        for (int64_t c = threadIdx.x % WARP; c < s.c; c += WARP) {
            const float d = get(dy[r * s.c + c]);

            for (int k = 0; k < 4; k++) {
                const float v = d * sample(s, x, n, h.lo + k / 2, w.lo + k % 2, c);

                down += v * (k / 2 ? 1.f : -1.f) * (k % 2 ? w.part : 1 - w.part);
                right += v * (k % 2 ? 1.f : -1.f) * (k / 2 ? h.part : 1 - h.part);
            }
        }
        down = warp_total(down);
        right = warp_total(right);
        if (threadIdx.x % WARP == 0) {
            dgrid[2 * r] = right * w.slope;
            dgrid[2 * r + 1] = down * h.slope;
        }
    }
}

static struct sampling sampling_of(const struct kernel_args *a)
{
    const struct node *n = a->op.node;
    const struct shape *x = &a->op.in[X].shape, *g = &a->op.in[GRID].shape;

    return {x->dim[1],
            {x->dim[2], x->dim[3]},
            g->dim[1] * g->dim[2],
            g->dim[1],
            (int)attr_int(n, "align_corners"),
            !strcmp(attr_str(n, "padding"), "border")};
}

template <class T> static void sample_run(const struct kernel_args *a)
{
    const struct tensor *y = &a->op.out[0];

    launch(device_of(a), sample_forward<T>, blocks_for(tensor_count(y)), THREADS, sampling_of(a),
           tensor_count(y), data<T>(&a->op.in[X]), data<float>(&a->op.in[GRID]), data<T>(y));
}

template <class T> static void sample_back(const struct kernel_args *a)
{
    const struct sampling s = sampling_of(a);
    const struct tensor *dx = &a->op.din[X], *dgrid = &a->op.din[GRID];
    const float *grid = data<float>(&a->op.in[GRID]);
    const int64_t n = a->op.in[X].shape.dim[0], pixels = n * s.in[0] * s.in[1];

    if (dx->data)
        launch(device_of(a), sample_backward<T>, warps_for(pixels), THREADS, s, pixels, grid,
               data<T>(&a->op.dout[0]), data<T>(dx));
    if (dgrid->data)
        launch(device_of(a), grid_backward<T>, warps_for(n * s.out), THREADS, s, n * s.out,
               data<T>(&a->op.in[X]), grid, data<T>(&a->op.dout[0]), data<float>(dgrid));
}

/* ---- affinegrid ---- */

struct affine {
    int64_t size[2]; /* down, across */
    int align, more;
};

/* Place I along axis D in [-1, 1].  */
__device__ __forceinline__ float affine_at(const struct affine &g, int d, int64_t i)
{
    const int64_t size = g.size[d];

    if (g.align)
        return size > 1 ? (float)(2 * (double)i / (double)(size - 1) - 1) : 0;
    return (float)((2 * (double)i + 1) / (double)size - 1);
}

__global__ void affine_forward(struct affine g, int64_t count, const float *theta, float *y)
{
    for (EACH (i, count)) {
        const int k = (int)(i % 2);
        const float u = affine_at(g, 1, i / 2 % g.size[1]);
        const float v = affine_at(g, 0, i / 2 / g.size[1] % g.size[0]);
        const float *t = theta + i / 2 / g.size[1] / g.size[0] * 6 + k * 3;

        y[i] = t[0] * u + t[1] * v + t[2] + (g.more ? k ? v : u : 0);
    }
}

/* A block for each number of theta.  */
__global__ void affine_backward(struct affine g, int64_t count, const float *dy, float *dtheta)
{
    const int64_t area = g.size[0] * g.size[1];

    for (int64_t j = blockIdx.x; j < count; j += gridDim.x) {
        const int64_t n = j / 6, k = j / 3 % 2, of = j % 3;
        double sum = 0;

        for (int64_t i = threadIdx.x; i < area; i += THREADS) {
            const float by = of == 0   ? affine_at(g, 1, i % g.size[1])
                             : of == 1 ? affine_at(g, 0, i / g.size[1])
                                       : 1;

            sum += (double)dy[(n * area + i) * 2 + k] * by;
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0)
            dtheta[j] = (float)sum;
    }
}

__global__ void no_gradient(int64_t count, float *dx)
{
    for (EACH (i, count))
        dx[i] = 0;
}

static struct affine affine_of(const struct node *n, const struct shape *y)
{
    return {
        {y->dim[1], y->dim[2]}, (int)attr_int(n, "align_corners"), (int)attr_int(n, "residual")};
}

static void affine_run(const struct kernel_args *a)
{
    const struct tensor *y = &a->op.out[0];

    launch(device_of(a), affine_forward, blocks_for(tensor_count(y)), THREADS,
           affine_of(a->op.node, &y->shape), tensor_count(y), data<float>(&a->op.in[0]),
           data<float>(y));
}

/* The operand `like' gives its sizes alone.  */
static void affine_back(const struct kernel_args *a)
{
    const struct tensor *theta = &a->op.din[0], *like = &a->op.din[1];

    if (theta->data)
        launch(device_of(a), affine_backward, rows_grid(tensor_count(theta)), THREADS,
               affine_of(a->op.node, &a->op.dout[0].shape), tensor_count(theta),
               data<float>(&a->op.dout[0]), data<float>(theta));
    if (like->data)
        launch(device_of(a), no_gradient, blocks_for(tensor_count(like)), THREADS,
               tensor_count(like), data<float>(like));
}

/* clang-format off */
#define ONE(T, d, fn)                                                                             \
    {.name = "gridsample", .op = "gridsample", .dir = d, .dtypes = F32, .reads = form<T>::layout, \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = !form<T>::narrow,             \
     .plain = 1 << GRID, .plain_grads = 1 << GRID, .accepts = is_computed, .run = fn<T>}

extern "C" const struct kernel cuda_gridsample_kernels[] = {
    EACH_TYPE(ONE, DIR_FORWARD, sample_run), EACH_TYPE(ONE, DIR_BACKWARD, sample_back),
    {.name = "gridsample", .op = "affinegrid", .dir = DIR_FORWARD, .dtypes = F32, .run = affine_run},
    {.name = "gridsample", .op = "affinegrid", .dir = DIR_BACKWARD, .dtypes = F32,
     .run = affine_back},
    {},
};
/* clang-format on */
