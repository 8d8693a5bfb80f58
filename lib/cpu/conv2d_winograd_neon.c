/* conv2d_winograd_neon.c -- conv2d_winograd_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/conv2d_winograd_body.h"
