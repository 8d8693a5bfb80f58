/* matmul_neon.c -- matmul_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/matmul_body.h"
