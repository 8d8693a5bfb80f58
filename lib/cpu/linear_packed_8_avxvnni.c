/* linear_packed_8_avxvnni.c -- linear_packed_8_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/linear_packed_8_body.h"
