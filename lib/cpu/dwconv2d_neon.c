/* dwconv2d_neon.c -- dwconv2d_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/dwconv2d_body.h"
