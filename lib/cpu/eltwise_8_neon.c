/* eltwise_8_neon.c -- eltwise_8_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/eltwise_8_body.h"
