/* mul_blocked_avx2.c -- mul_blocked_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/mul_blocked_body.h"
