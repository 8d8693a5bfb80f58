/* concat_blocked_8_neon.c -- concat_blocked_8_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/concat_blocked_8_body.h"
