/* pairs.cuh -- two sums over each channel, made in chunks of rows.
 * SPDX-License-Identifier: MIT
 *
 * F makes what is added of (row, channel), about what it was given for the
 * chunk:
 *     float about(int64_t row, int64_t c) const          row: the chunk's first
 *     void terms(int64_t row, int64_t c, float about, float *u, float *v) const
 * Partial sums are [chunk][2][c].  */
#ifndef ADZE_CUDA_PAIRS_CUH
#define ADZE_CUDA_PAIRS_CUH

#include "cuda/moments.cuh"

enum { PAIRS_CHUNK = 512, PAIRS_LINES = 8 }; /* rows of a chunk; rows at a time */

template <class F> __global__ void channel_pairs(struct rows r, F f, float *p)
{
    __shared__ float part[2][PAIRS_LINES][WARP];
    const int64_t c = (int64_t)blockIdx.x * WARP + threadIdx.x;
    const int64_t from = (int64_t)blockIdx.y * PAIRS_CHUNK;
    const int64_t end = from + PAIRS_CHUNK < r.rows ? from + PAIRS_CHUNK : r.rows;
    const float about = c < r.c ? f.about(from, c) : 0;
    float a = 0, b = 0;

    for (int64_t i = from + threadIdx.y; i < end && c < r.c; i += PAIRS_LINES) {
        float u, v;

        f.terms(i, c, about, &u, &v);
        a += u;
        b += v;
    }
    part[0][threadIdx.y][threadIdx.x] = a;
    part[1][threadIdx.y][threadIdx.x] = b;
    __syncthreads();
    if (threadIdx.y == 0 && c < r.c) {
        for (int i = 1; i < PAIRS_LINES; i++) {
            a += part[0][i][threadIdx.x];
            b += part[1][i][threadIdx.x];
        }
        p[(blockIdx.y * 2) * r.c + c] = a;
        p[(blockIdx.y * 2 + 1) * r.c + c] = b;
    }
}

/* U[c], V[c], either may be NULL: the sums of the chunks' sums.  */
static __global__ void pairs_join(int64_t channels, int chunks, const float *p, float *u, float *v)
{
    const int64_t c = (int64_t)blockIdx.x * WARP + threadIdx.x;
    double a = 0, b = 0;

    for (int64_t k = threadIdx.y; k < chunks && c < channels; k += JOIN_LINES) {
        a += p[k * 2 * channels + c];
        b += p[(k * 2 + 1) * channels + c];
    }
    a = over_lines(a);
    b = over_lines(b);
    if (threadIdx.y || c >= channels)
        return;
    if (u)
        u[c] = (float)a;
    if (v)
        v[c] = (float)b;
}

/* The first stage; how many chunks there are.  */
template <class F>
static int pairs_chunks(const struct device *d, struct rows r, const F &f, float *p)
{
    const dim3 grid((unsigned)div_up(r.c, WARP), (unsigned)div_up(r.rows, PAIRS_CHUNK));

    if (r.rows && r.c)
        launch(d, channel_pairs<F>, grid, dim3(WARP, PAIRS_LINES), r, f, p);
    return (int)grid.y;
}

/* Both; P has pairs_scratch() bytes.  */
template <class F>
static void pairs_run(const struct device *d, struct rows r, const F &f, float *p, float *u,
                      float *v)
{
    const int chunks = pairs_chunks(d, r, f, p);

    if (r.c)
        launch(d, pairs_join, join_grid(r.c), join_block(), r.c, chunks, p, u, v);
}

static inline size_t pairs_scratch(struct rows r)
{
    return (size_t)(div_up(r.rows, PAIRS_CHUNK) * 2 * r.c) * sizeof(float);
}

#endif
