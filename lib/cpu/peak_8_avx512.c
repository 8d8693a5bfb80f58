/* peak_8_avx512.c -- peak_8_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/peak_8_body.h"
