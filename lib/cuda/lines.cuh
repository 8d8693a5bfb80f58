/* lines.cuh -- an array as rows along one of its axes.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CUDA_LINES_CUH
#define ADZE_CUDA_LINES_CUH

#include "cuda/box.cuh"

/* Numbers of a row lie INNER apart; rows are counted as they lie.  */
struct lines {
    int64_t rows, size, inner;
};

/* Along AXIS of what has shape S and lies in layout L.  */
static inline struct lines lines_of(const struct shape *s, int axis, enum layout l)
{
    struct lines r = {1, 1, 1};
    int seen = 0;

    for (int k = 0; k < s->rank; k++) {
        const int d = layout_axis(l, s->rank, k);

        *(d == axis ? &r.size : seen ? &r.inner : &r.rows) *= s->dim[d];
        seen |= d == axis;
    }
    r.rows *= r.inner;
    return r;
}

/* Number C of row ROW.  */
__device__ __forceinline__ int64_t line_at(const struct lines &s, int64_t row, int64_t c)
{
    if (s.inner == 1)
        return row * s.size + c;
    return (row / s.inner * s.size + c) * s.inner + row % s.inner;
}

/* Which number of its row element I is.  */
__device__ __forceinline__ int64_t line_place(const struct lines &s, int64_t i)
{
    return s.inner == 1 ? i % s.size : i / s.inner % s.size;
}

/* for (WARPS(r, rows)): a row for each warp of a block of THREADS.  */
#define WARPS(r, rows)                                                                \
    int64_t r = (int64_t)blockIdx.x * (THREADS / WARP) + (int64_t)threadIdx.x / WARP; \
    r < (rows);                                                                       \
    r += (int64_t)gridDim.x * (THREADS / WARP)

static inline dim3 warps_for(int64_t rows)
{
    return blocks_for(rows * WARP);
}

#endif
