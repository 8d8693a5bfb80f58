/* permute_avx2.c -- permute_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/permute_body.h"
