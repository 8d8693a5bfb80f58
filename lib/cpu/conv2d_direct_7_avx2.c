/* conv2d_direct_7_avx2.c -- conv2d_direct_8_body.h for this instruction set,
 * and weights of 7 bits.
 * SPDX-License-Identifier: MIT  */
#define SEVEN
#include "cpu/conv2d_direct_8_body.h"
