/* channels_blocked_8_avx512.c -- channels_blocked_8_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/channels_blocked_8_body.h"
