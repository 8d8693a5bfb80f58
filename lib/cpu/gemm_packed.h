/* gemm_packed.h -- matrix products by our own kernels.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_GEMM_PACKED_H
#define ADZE_CPU_GEMM_PACKED_H

#include "cpu/gemm.h"

/* Steps of k that are packed at a time; the widest tile of any set.  */
enum { GEMM_KC = 512, GEMM_NR = 48, GEMM_MR = 8 };

size_t gemm_packed_scratch(int64_t m, int64_t n);
void gemm_packed(const struct gemm *g, unsigned isa, float *scratch);

/* The same by instruction set.  */
typedef void gemm_packed_fn(const struct gemm *g, float *scratch);
gemm_packed_fn gemm_packed_any, gemm_packed_avx2, gemm_packed_avx512, gemm_packed_neon;

#endif
