/* reduce_blocked_any.c -- reduce_blocked_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/reduce_blocked_body.h"
