/* maxpool_neon.c -- maxpool_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/maxpool_body.h"
