/* conv2d_winograd_8_avx2.c -- conv2d_winograd_8_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/conv2d_winograd_8_body.h"
