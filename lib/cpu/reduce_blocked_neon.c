/* reduce_blocked_neon.c -- reduce_blocked_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/reduce_blocked_body.h"
