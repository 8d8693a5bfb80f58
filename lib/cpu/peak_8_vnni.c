/* peak_8_vnni.c -- peak_8_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/peak_8_body.h"
