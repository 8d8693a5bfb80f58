/* conv2d_direct_8_standin_avx2.c -- kernels for AVX-VNNI with its stand-in.
 * SPDX-License-Identifier: MIT  */
#include "standin/avxvnni.h"

#include "cpu/conv2d_direct_8_avxvnni.c"
