/* peak_8_avxvnni.c -- peak_8_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/peak_8_body.h"
