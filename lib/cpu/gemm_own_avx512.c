/* gemm_own_avx512.c -- gemm_own_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/gemm_own_body.h"
