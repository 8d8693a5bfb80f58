/* conv2d_gemm_neon.c -- conv2d_gemm_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/conv2d_gemm_body.h"
