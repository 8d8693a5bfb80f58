/* eltwise_neon.c -- eltwise_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/eltwise_body.h"
