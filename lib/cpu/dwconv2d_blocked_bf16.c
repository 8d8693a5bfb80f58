/* dwconv2d_blocked_bf16.c -- dwconv2d_blocked_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/dwconv2d_blocked_body.h"
