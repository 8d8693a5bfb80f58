/* permute_neon.c -- permute_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/permute_body.h"
