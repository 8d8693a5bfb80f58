/* norm_blocked_neon.c -- norm_blocked_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/norm_blocked_body.h"
