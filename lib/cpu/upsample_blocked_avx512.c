/* upsample_blocked_avx512.c -- upsample_blocked_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/upsample_blocked_body.h"
