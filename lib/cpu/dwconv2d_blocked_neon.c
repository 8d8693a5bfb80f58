/* dwconv2d_blocked_neon.c -- dwconv2d_blocked_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/dwconv2d_blocked_body.h"
