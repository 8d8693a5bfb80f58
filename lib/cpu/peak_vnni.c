/* peak_vnni.c -- peak_body.h for this instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/peak_body.h"
