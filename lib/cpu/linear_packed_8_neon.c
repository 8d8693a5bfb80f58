/* linear_packed_8_neon.c -- linear_packed_8_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/linear_packed_8_body.h"
