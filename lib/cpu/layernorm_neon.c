/* layernorm_neon.c -- layernorm_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/layernorm_body.h"
