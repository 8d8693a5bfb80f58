/* gemm_own.c -- gemm.h by our own kernels.
 * SPDX-License-Identifier: MIT  */
#include "cpu/gemm_own.h"
#include "base/cpuinfo.h"

size_t gemm_scratch(int64_t m, int64_t n)
{
    (void)n;
    return (size_t)(m + GEMM_MR + GEMM_NR) * GEMM_KC + GEMM_MR * GEMM_NR;
}

void gemm_tile(const struct gemm *g, unsigned isa, float *scratch)
{
#if defined(__x86_64__)
    if (isa & CPU_AVX512) {
        gemm_own_avx512(g, scratch);
        return;
    }
    if (isa & CPU_AVX2) {
        gemm_own_avx2(g, scratch);
        return;
    }
#endif
    (void)isa;
    gemm_own_any(g, scratch);
}

void gemm_start(void)
{
}
