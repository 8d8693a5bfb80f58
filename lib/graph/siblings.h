/* siblings.h -- steps that read one value, for kernels that begin with their
 * arguments alone: struct together's functions (graph/device.h).
 * SPDX-License-Identifier: MIT
 *
 *     static void run(const void *siblings)
 *     {
 *         const struct siblings *s = siblings;
 *         ... s->a[0] ... s->a[s->n - 1]
 *     }
 *
 *     static const struct together siblings = {SIBLINGS, siblings_new, run,
 *                                              siblings_free, may_be};  */
#ifndef ADZE_GRAPH_SIBLINGS_H
#define ADZE_GRAPH_SIBLINGS_H

#include "graph/device.h"

enum { SIBLINGS = 4 }; /* at once: an Inception block has three */

struct siblings {
    int n;
    const struct kernel_args *const *a; /* of the plan */
};

void *siblings_new(const struct kernel_args *const *a, int n, struct err *e);
void siblings_free(void *siblings);

/* Any two that name one kernel.  */
int siblings_all(const struct step_nodes *a, const struct step_nodes *b);

#endif
