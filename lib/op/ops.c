/* ops.c -- the table of op records.
 * SPDX-License-Identifier: MIT  */
#include "op/ops.h"

#include <string.h>

const struct op *const op_all[] = {
#define OP(name) &op_##name,
#include "op/op.def"
#undef OP
    NULL};

const struct op *op_find(const char *name)
{
    for (const struct op *const *p = op_all; *p; p++)
        if (!strcmp((*p)->name, name) ||
            ((*p)->alias && !strcmp((*p)->alias, name)))
            return *p;
    return NULL;
}
