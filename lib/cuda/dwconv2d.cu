/* dwconv2d.cu -- convolution in which each group has one input channel.
 * SPDX-License-Identifier: MIT
 *
 * Nothing is shared between channels, so this is bound by memory: a thread for
 * each number, neighbours along the channels.  The gradient of a weight is a
 * sum over all pixels, in chunks.  */
#include "cuda/conv.cuh"
#include "cuda/gemm.cuh"

enum { X, WEIGHT, BIAS };
enum { CHUNK = 512 }; /* pixels of one partial sum */

template <class T>
__global__ void dw_forward(struct conv c, const T *x, const float *w, const float *bias, T *y)
{
    const int64_t count = (int64_t)c.n * c.out[0] * c.out[1] * c.k;
    const int taps = c.kernel[0] * c.kernel[1];

    for (EACH (i, count)) {
        const int64_t k = i % c.k;
        uint32_t p, q;
        const uint32_t line = divide(c.by_out[1], (uint32_t)(i / c.k), &q);
        const uint32_t n = divide(c.by_out[0], line, &p);
        float sum = bias ? bias[k] : 0;

        for (int r = 0; r < c.kernel[0]; r++)
            for (int s = 0; s < c.kernel[1]; s++) {
                const int h = conv_input_at(c, 0, (int)p, r);
                const int j = conv_input_at(c, 1, (int)q, s);

                if (h >= 0 && h < c.in[0] && j >= 0 && j < c.in[1])
                    sum = fmaf(get(x[conv_pixel(c.in, n, h, j) * c.c + k / c.kg]),
                               w[k * taps + r * c.kernel[1] + s], sum);
            }
        put(&y[i], sum);
    }
}

template <class T> __global__ void dw_backward_x(struct conv c, const T *dy, const float *w, T *dx)
{
    const int64_t count = (int64_t)c.n * c.in[0] * c.in[1] * c.c;
    const int taps = c.kernel[0] * c.kernel[1];

    for (EACH (i, count)) {
        const int64_t k0 = i % c.c * c.kg;
        uint32_t h, j;
        const uint32_t line = divide(c.by_in[1], (uint32_t)(i / c.c), &j);
        const uint32_t n = divide(c.by_in[0], line, &h);
        float sum = 0;

        for (int r = 0; r < c.kernel[0]; r++)
            for (int s = 0; s < c.kernel[1]; s++) {
                const int p = conv_reader(c, 0, (int)h, r), q = conv_reader(c, 1, (int)j, s);

                if (p < 0 || q < 0)
                    continue;
                for (int64_t k = k0; k < k0 + c.kg; k++)
                    sum = fmaf(get(dy[conv_pixel(c.out, n, p, q) * c.k + k]),
                               w[k * taps + r * c.kernel[1] + s], sum);
            }
        put(&dx[i], sum);
    }
}

/* A block has 32 channels and one tap, and one chunk of pixels, 8 at a time;
 * P is [chunk][channel][tap].  */
template <class T> __global__ void dw_backward_w(struct conv c, const T *x, const T *dy, float *p)
{
    __shared__ float part[8][WARP];
    const int k = blockIdx.x * WARP + threadIdx.x, taps = c.kernel[0] * c.kernel[1];
    const int r = blockIdx.z / c.kernel[1], s = blockIdx.z % c.kernel[1];
    const int64_t all = (int64_t)c.n * c.out[0] * c.out[1], from = (int64_t)blockIdx.y * CHUNK;
    const int64_t end = from + CHUNK < all ? from + CHUNK : all;
    float sum = 0;

    for (int64_t i = from + threadIdx.y; i < end && k < c.k; i += 8) {
        uint32_t o, q;
        const uint32_t line = divide(c.by_out[1], (uint32_t)i, &q);
        const uint32_t n = divide(c.by_out[0], line, &o);
        const int h = conv_input_at(c, 0, (int)o, r);
        const int j = conv_input_at(c, 1, (int)q, s);

        if (h >= 0 && h < c.in[0] && j >= 0 && j < c.in[1])
            sum =
                fmaf(get(x[conv_pixel(c.in, n, h, j) * c.c + k / c.kg]), get(dy[i * c.k + k]), sum);
    }
    part[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && k < c.k) {
        for (int i = 1; i < 8; i++)
            sum += part[i][threadIdx.x];
        p[((int64_t)blockIdx.y * c.k + k) * taps + blockIdx.z] = sum;
    }
}

template <class T> static void forward(const struct kernel_args *a)
{
    const struct conv c = conv_of(a->op.node, &a->op.in[X].shape, &a->op.out[0].shape);

    launch(device_of(a), dw_forward<T>, blocks_for(tensor_count(&a->op.out[0])), THREADS, c,
           data<T>(&a->op.in[X]), data<float>(&a->op.in[WEIGHT]), data<float>(&a->op.in[BIAS]),
           data<T>(&a->op.out[0]));
}

template <class T> static void backward(const struct kernel_args *a)
{
    const struct device *d = device_of(a);
    const struct tensor *x = a->op.in[X].data ? &a->op.in[X] : &a->op.din[X];
    const struct tensor *dy = &a->op.dout[0];
    const struct conv c = conv_of(a->op.node, &x->shape, &dy->shape);
    const int64_t pixels = (int64_t)c.n * c.out[0] * c.out[1];
    const int64_t taps = (int64_t)c.kernel[0] * c.kernel[1];
    const dim3 grid((unsigned)div_up(c.k, WARP), (unsigned)div_up(pixels, CHUNK), (unsigned)taps);
    float *p = (float *)a->scratch;

    if (a->op.din[X].data)
        launch(d, dw_backward_x<T>, blocks_for(tensor_count(x)), THREADS, c, data<T>(dy),
               data<float>(&a->op.in[WEIGHT]), data<T>(&a->op.din[X]));
    if (a->op.din[WEIGHT].data) {
        launch(d, dw_backward_w<T>, grid, dim3(WARP, 8), c, data<T>(x), data<T>(dy), p);
        launch(d, gemm_join<in_order>, blocks_for(c.k * taps), THREADS, p, c.k * taps, (int)grid.y,
               in_order(), data<float>(&a->op.din[WEIGHT]));
    }
    if (a->op.din[BIAS].data)
        row_sums_run(d, rows_of(dy), data<T>(dy), p, data<float>(&a->op.din[BIAS]));
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct shape x = conv_input(s), y = conv_result(s);
    const struct conv c = conv_of(s->node[0], &x, &y);
    const int64_t pixels = (int64_t)c.n * c.out[0] * c.out[1];
    const int64_t w = div_up(pixels, CHUNK) * c.k * c.kernel[0] * c.kernel[1];
    const size_t bytes = (size_t)w * sizeof(float), b = row_sums_scratch(pixels, c.k);

    (void)threads;
    return bytes > b ? bytes : b;
}

/* One input channel in a group, and few outputs.  */
static int accepts(const struct step_nodes *s)
{
    const struct shape x = conv_input(s), y = conv_result(s);
    const int64_t groups = attr_int(s->node[0], "groups");

    return x.dim[1] == groups && groups > 1 && y.dim[1] / groups <= 8 && conv_fits(s) &&
           x.dim[0] * x.dim[2] * x.dim[3] / CHUNK < 65535;
}

/* clang-format off */
#define OFFER(T, d, fn, bytes)                                                                    \
    {.name = "dwconv2d", .op = "conv2d", .dir = d, .dtypes = F32, .reads = form<T>::layout,       \
     .writes = form<T>::layout, .narrow = form<T>::narrow, .pulls = 1, .accepts = accepts,        \
     .scratch = bytes, .run = fn<T>}

extern "C" const struct kernel cuda_dwconv2d_kernels[] = {
    EACH_TYPE(OFFER, DIR_FORWARD, forward, NULL),
    EACH_TYPE(OFFER, DIR_BACKWARD, backward, scratch),
    {},
};
/* clang-format on */
