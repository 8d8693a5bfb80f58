/* allfinite.c -- 1 if every number of several arrays is finite, else 0.
 * SPDX-License-Identifier: MIT
 *
 *   x0, x1, ...: any shapes  y [1].  */
#include <math.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

static int infer(struct node *n, struct err *e)
{
    const struct shape one = shape_make(1, (int64_t[]){1});
    for (int i = 0; i < n->n_join; i++)
        if (rule_float(n, i, e) < 0)
            return -1;
    return rule_out(n, 0, DTYPE_F32, &one, e);
}

static struct op_cost cost(const struct node *n)
{
    struct op_cost c = {0};
    for (int i = 0; i < n->n_join; i++)
        c.flop += shape_count(&n->in[i]->shape);
    return c;
}

static void forward(const struct op_args *a)
{
    int finite = 1;
    for (int k = 0; k < a->node->n_join; k++) {
        const real *x = a->in[k].data;
        for (int64_t i = 0; i < tensor_count(&a->in[k]); i++)
            finite &= !!isfinite(x[i]);
    }
    *(real *)a->out[0].data = (real)finite;
}

static const struct op_in in[] = {{.name = "x"}, {0}};

const struct op op_allfinite = {
    .name = "allfinite",
    .brief = "whether all numbers are finite",
    .in = in,
    .n_out = 1,
    .flags = OP_JOIN | OP_INTERNAL,
    .infer = infer,
    .cost = cost,
    .forward = forward,
};
