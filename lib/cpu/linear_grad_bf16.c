/* linear_grad_bf16.c -- linear_grad_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/linear_grad_body.h"
