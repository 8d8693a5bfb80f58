/* zoo.c -- see zoo.h.
 * SPDX-License-Identifier: MIT  */
#include "format/zoo.h"

#include <stddef.h>
#include <string.h>

const char *zoo_find(const char *name)
{
    for (const struct zoo_file *f = zoo_files; f->name; f++)
        if (!strcmp(f->name, name))
            return f->text;
    return NULL;
}
