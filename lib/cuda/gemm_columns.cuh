/* gemm_columns.cuh -- several products side by side in one grid.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CUDA_GEMM_COLUMNS_CUH
#define ADZE_CUDA_GEMM_COLUMNS_CUH

#include "cuda/cuda.cuh"

extern "C" {
#include "graph/siblings.h"
}

/* Product i has the block columns from FIRST[i] on; FIRST[count]: all.  */
struct gemm_columns {
    int count;
    unsigned first[SIBLINGS + 1];

    /* Products in order, each of N columns, WIDTH of them a block.  */
    void add(int i, int64_t n, int64_t width)
    {
        first[i + 1] = first[i] + (unsigned)div_up(n, width);
    }

    /* Which one has block column COLUMN.  */
    __device__ __forceinline__ int product(unsigned column) const
    {
        int i = 0;

        while (i + 1 < count && column >= first[i + 1])
            i++;
        return i;
    }
};

#endif
