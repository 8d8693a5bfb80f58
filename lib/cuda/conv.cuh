/* conv.cuh -- the geometry of a convolution in device code.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CUDA_CONV_CUH
#define ADZE_CUDA_CONV_CUH

#include "cuda/cuda.cuh"

/* Division by a number that is known when a kernel is launched, for n < 2^31:
 * Granlund, Montgomery, "Division by invariant integers using multiplication",
 * PLDI 1994.  */
struct divisor {
    uint32_t d, factor, shift;
};

static inline struct divisor divisor_of(int64_t d)
{
    struct divisor v = {(uint32_t)d, 0, 0};

    while ((uint64_t)1 << v.shift < (uint64_t)d)
        v.shift++;
    v.factor =
        (uint32_t)((((uint64_t)1 << 32) * (((uint64_t)1 << v.shift) - (uint64_t)d)) / (uint64_t)d +
                   1);
    return v;
}

/* *REST = N % D; N / D.  */
__device__ __forceinline__ uint32_t divide(const struct divisor &v, uint32_t n, uint32_t *rest)
{
    const uint32_t q = (__umulhi(n, v.factor) + n) >> v.shift;

    *rest = n - q * v.d;
    return q;
}

/* Sizes fit 31 bits: conv_fits().  */
struct conv {
    int n, c, k, groups, cg, kg;        /* images, channels in, out, of a group */
    int in[2], out[2], kernel[2];       /* height, width */
    int stride[2], pad[2], dilation[2]; /* top, left */
    struct divisor by_in[2], by_out[2], by_kernel, by_cg, by_kg, by_stride[2];
};

/* X and Y bound.  conv_window() leaves out what concerns groups, for pooling.  */
struct conv conv_window(const struct node *n, const struct shape *x, const struct shape *y);
struct conv conv_of(const struct node *n, const struct shape *x, const struct shape *y);

/* The output that reads input AT through tap R along direction D; -1.  */
__device__ __forceinline__ int conv_reader(const struct conv &c, int d, int at, int r)
{
    const int from = at + c.pad[d] - r * c.dilation[d];
    uint32_t rest, p;

    if (from < 0)
        return -1;
    p = divide(c.by_stride[d], (uint32_t)from, &rest);
    return rest || p >= (uint32_t)c.out[d] ? -1 : (int)p;
}

/* The input that output P reads through tap R; may lie outside.  */
__device__ __forceinline__ int conv_input_at(const struct conv &c, int d, int p, int r)
{
    return p * c.stride[d] - c.pad[d] + r * c.dilation[d];
}

__device__ __forceinline__ int64_t conv_pixel(const int *size, uint32_t n, int h, int w)
{
    return ((int64_t)n * size[0] + h) * size[1] + w;
}

/* The weight of the step's head is a parameter, and every count of elements is
 * below 2^31.  */
int conv_fits(const struct step_nodes *s);

/* Shapes of the forward node's input and result.  */
struct shape conv_input(const struct step_nodes *s);
struct shape conv_result(const struct step_nodes *s);

/* A and B, which read one value, have one group and the same window.  */
int conv_same_pixels(const struct step_nodes *a, const struct step_nodes *b);

#endif
