/* gemm_packed_neon.c -- gemm_packed_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/gemm_packed_body.h"
