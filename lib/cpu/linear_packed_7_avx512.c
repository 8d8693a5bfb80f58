/* linear_packed_7_avx512.c -- linear_packed_8_body.h for this instruction set,
 * and weights of 7 bits.
 * SPDX-License-Identifier: MIT  */
#define SEVEN
#include "cpu/linear_packed_8_body.h"
