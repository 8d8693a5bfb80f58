/* moments.cuh -- sums over lines of a block, and statistics of chunks of rows
 * joined to those of all.
 * SPDX-License-Identifier: MIT
 *
 * A block has 32 channels and JOIN_LINES lines, each of which has every
 * JOIN_LINES-th chunk: with a thread for each channel alone few of the
 * processors had work, and each waited for one number after the other.  */
#ifndef ADZE_CUDA_MOMENTS_CUH
#define ADZE_CUDA_MOMENTS_CUH

#include <math.h>

#include "cuda/cuda.cuh"

enum { JOIN_LINES = 32 };

static inline dim3 join_grid(int64_t channels)
{
    return dim3((unsigned)div_up(channels, WARP));
}

static inline dim3 join_block(void)
{
    return dim3(WARP, JOIN_LINES);
}

/* Over the lines of a block, in their order; for all of them.  */
static __device__ double over_lines(double v)
{
    __shared__ double part[JOIN_LINES][WARP];
    double sum = 0;

    part[threadIdx.y][threadIdx.x] = v;
    __syncthreads();
    for (int i = 0; i < JOIN_LINES; i++)
        sum += part[i][threadIdx.x];
    __syncthreads();
    return sum;
}

/* Rows of chunk K.  */
template <class P> __device__ __forceinline__ double moments_size(const struct rows &r, int64_t k)
{
    const int64_t left = r.rows - k * P::rows;

    return (double)(left < P::rows ? left : (int64_t)P::rows);
}

/* P says of each chunk of `rows' rows, but the last:
 *     double sum(int64_t chunk, int64_t c, double size) const
 *     double square(int64_t chunk, int64_t c, double size) const
 * the sum, and the sum of squares about the chunk's own mean.  Squares about
 * the mean of all: Chan, Golub, LeVeque, as in norm.cu.  */
template <class P>
__global__ void moments_join(struct rows r, P p, double eps, float *mean, float *invstd)
{
    const int64_t c = (int64_t)blockIdx.x * WARP + threadIdx.x;
    const int64_t chunks = c < r.c ? (r.rows + P::rows - 1) / P::rows : 0;
    double m = 0, square = 0;

    for (int64_t k = threadIdx.y; k < chunks; k += JOIN_LINES)
        m += p.sum(k, c, moments_size<P>(r, k));
    m = over_lines(m) / (double)r.rows;
    for (int64_t k = threadIdx.y; k < chunks; k += JOIN_LINES) {
        const double size = moments_size<P>(r, k), d = p.sum(k, c, size) / size - m;

        square += p.square(k, c, size) + d * d * size;
    }
    square = over_lines(square);
    if (threadIdx.y || c >= r.c)
        return;
    mean[c] = (float)m;
    invstd[c] = (float)(1 / sqrt(square / (double)r.rows + eps));
}

#endif
