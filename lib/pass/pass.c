/* pass.c -- the passes by name: see pass.h.
 * SPDX-License-Identifier: MIT  */
#include "pass/pass.h"

#include <stddef.h>

const struct pass pass_all[] = {
    {"simplify", 1, pass_simplify},
    {"fuse-bn", 1, pass_fuse_bn},
    {"reparam", 1, pass_reparam},
    {NULL, 0, NULL},
};
