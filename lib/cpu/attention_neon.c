/* attention_neon.c -- attention_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/attention_body.h"
