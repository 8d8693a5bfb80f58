/* dwconv2d_blocked_8_avxvnni.c -- dwconv2d_blocked_8_body.h for this instruction
 * set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/dwconv2d_blocked_8_body.h"
