/* peak_7_avx512.c -- peak_8_body.h for this instruction set, and weights of 7
 * bits.
 * SPDX-License-Identifier: MIT  */
#define SEVEN
#include "cpu/peak_8_body.h"
