/* pool_blocked_avx512.c -- pool_blocked_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/pool_blocked_body.h"
