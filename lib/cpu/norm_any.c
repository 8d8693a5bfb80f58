/* norm_any.c -- norm_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/norm_body.h"
