/* conv2d_direct_8_avxvnni.c -- conv2d_direct_8_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/conv2d_direct_8_body.h"
