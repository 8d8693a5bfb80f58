/* conv2d_computed.cu -- convolution whose weight is no parameter but computed:
 * of models of 8 bits, node by node or in a form that no kernel of 8 bits takes.
 * SPDX-License-Identifier: MIT
 *
 * A thread for each number; the weight is plain.  */
#include "cuda/conv.cuh"

enum { X, WEIGHT, BIAS };

/* The products at the pixel of X (channels of the group on) with the tap of W. */
__device__ __forceinline__ float products(const float *x, const float *w, int channels, int taps,
                                          float sum)
{
    for (int i = 0; i < channels; i++)
        sum = fmaf(x[i], w[(int64_t)i * taps], sum);
    return sum;
}

__global__ void computed(struct conv c, const float *x, const float *w, const float *bias, float *y)
{
    const int taps = c.kernel[0] * c.kernel[1];

    for (EACH (i, (int64_t)c.n * c.out[0] * c.out[1] * c.k)) {
        const int64_t k = i % c.k;
        uint32_t p, q;
        const uint32_t line = divide(c.by_out[1], (uint32_t)(i / c.k), &q);
        const uint32_t n = divide(c.by_out[0], line, &p);
        float sum = bias ? bias[k] : 0;

        for (int r = 0; r < c.kernel[0]; r++)
            for (int s = 0; s < c.kernel[1]; s++) {
                const int h = conv_input_at(c, 0, (int)p, r), j = conv_input_at(c, 1, (int)q, s);

                if (h >= 0 && h < c.in[0] && j >= 0 && j < c.in[1])
                    sum = products(x + conv_pixel(c.in, n, h, j) * c.c + k / c.kg * c.cg,
                                   w + k * c.cg * taps + r * c.kernel[1] + s, c.cg, taps, sum);
            }
        y[i] = sum;
    }
}

static void run(const struct kernel_args *a)
{
    launch(device_of(a), computed, blocks_for(tensor_count(&a->op.out[0])), THREADS,
           conv_of(a->op.node, &a->op.in[X].shape, &a->op.out[0].shape), data<float>(&a->op.in[X]),
           data<float>(&a->op.in[WEIGHT]), data<float>(&a->op.in[BIAS]),
           data<float>(&a->op.out[0]));
}

static int accepts(const struct step_nodes *s)
{
    const struct shape x = conv_input(s), y = conv_result(s);

    return !value_is_tensor(s->node[0]->in[WEIGHT]) &&
           x.dim[0] * x.dim[2] * x.dim[3] <= INT32_MAX &&
           y.dim[0] * y.dim[2] * y.dim[3] <= INT32_MAX;
}

/* clang-format off */
extern "C" const struct kernel cuda_conv2d_computed_kernels[] = {
    {.name = "conv2d_computed", .op = "conv2d", .dir = DIR_FORWARD, .dtypes = F32,
     .reads = LAYOUT_NHWC, .writes = LAYOUT_NHWC, .pulls = 1, .accepts = accepts, .run = run},
    {},
};
/* clang-format on */
