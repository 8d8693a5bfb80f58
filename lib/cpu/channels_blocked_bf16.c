/* channels_blocked_bf16.c -- channels_blocked_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/channels_blocked_body.h"
