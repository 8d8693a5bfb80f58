/* rowscale_avx2.c -- rowscale_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/rowscale_body.h"
