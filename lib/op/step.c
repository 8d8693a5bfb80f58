/* step.c -- what the optimiser updates share.
 * SPDX-License-Identifier: MIT  */
#include "op/step.h"

#include "base/err.h"
#include "graph/graph.h"
#include "op/rule.h"

int step_infer(struct node *n, unsigned ones, struct err *e)
{
    const struct shape p = n->in[0]->shape;
    const int64_t one = 1;
    for (int i = 0; i < n->n_in; i++)
        if (ones >> i & 1 ? rule_weight(n, i, 1, &one, e) < 0
                          : rule_weight(n, i, p.rank, p.dim, e) < 0)
            return -1;
    return 0;
}

real step_scale(const struct op_args *a, int i)
{
    return i < a->node->n_in && a->in[i].data ? *(const real *)a->in[i].data
                                              : 1;
}
