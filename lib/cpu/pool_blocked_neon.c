/* pool_blocked_neon.c -- pool_blocked_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/pool_blocked_body.h"
