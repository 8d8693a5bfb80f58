/* gemm_own_any.c -- gemm_own_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/gemm_own_body.h"
