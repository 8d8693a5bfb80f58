/* gemm_own.h -- the parts of gemm_own.c by instruction set.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_GEMM_OWN_H
#define ADZE_CPU_GEMM_OWN_H

#include "cpu/gemm.h"

/* Steps of k that are packed at a time; the widest tile of any set.  */
enum { GEMM_KC = 512, GEMM_NR = 48, GEMM_MR = 8 };

typedef void gemm_own_fn(const struct gemm *g, float *scratch);
gemm_own_fn gemm_own_any, gemm_own_avx2, gemm_own_avx512;

#endif
