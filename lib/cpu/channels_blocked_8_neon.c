/* channels_blocked_8_neon.c -- channels_blocked_8_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/channels_blocked_8_body.h"
