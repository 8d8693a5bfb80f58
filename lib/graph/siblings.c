/* siblings.c -- see siblings.h.
 * SPDX-License-Identifier: MIT  */
#include "graph/siblings.h"

#include <stdlib.h>

#include "base/mem.h"

void *siblings_new(const struct kernel_args *const *a, int n, struct err *e)
{
    struct siblings *s = xcalloc(1, sizeof *s);

    (void)e;
    *s = (struct siblings){n, a};
    return s;
}

void siblings_free(void *siblings)
{
    free(siblings);
}

int siblings_all(const struct step_nodes *a, const struct step_nodes *b)
{
    (void)a, (void)b;
    return 1;
}
