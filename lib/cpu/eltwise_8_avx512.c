/* eltwise_8_avx512.c -- eltwise_8_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/eltwise_8_body.h"
