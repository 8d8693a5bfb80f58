/* linear_packed_neon.c -- linear_packed_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/linear_packed_body.h"
