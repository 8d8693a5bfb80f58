/* dwconv2d_any.c -- dwconv2d_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/dwconv2d_body.h"
