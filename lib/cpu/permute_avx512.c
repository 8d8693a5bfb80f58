/* permute_avx512.c -- permute_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/permute_body.h"
