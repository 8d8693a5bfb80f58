/* reduce_blocked_bf16.c -- reduce_blocked_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/reduce_blocked_body.h"
