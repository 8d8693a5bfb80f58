/* gemm_packed.c -- see gemm_packed.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/gemm_packed.h"
#include "base/cpuinfo.h"

size_t gemm_packed_scratch(int64_t m, int64_t n)
{
    (void)n;
    return (size_t)(m + GEMM_MR + GEMM_NR) * GEMM_KC + GEMM_MR * GEMM_NR;
}

void gemm_packed(const struct gemm *g, unsigned isa, float *scratch)
{
#if defined(__x86_64__)
    if (isa & CPU_AVX512) {
        gemm_packed_avx512(g, scratch);
        return;
    }
    if (isa & CPU_AVX2) {
        gemm_packed_avx2(g, scratch);
        return;
    }
#elif defined(__aarch64__)
    if (isa & CPU_NEON) {
        gemm_packed_neon(g, scratch);
        return;
    }
#endif
    (void)isa;
    gemm_packed_any(g, scratch);
}
