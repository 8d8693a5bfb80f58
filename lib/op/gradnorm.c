/* gradnorm.c -- the L2 norm of several arrays taken as one vector.
 * SPDX-License-Identifier: MIT
 *
 *     y = sqrt(sum over k, i of x_k[i]^2)
 *
 *   x0, x1, ...: any shapes  y [1].  Double sums over chunks of 4096
 * elements of one array, then over the chunks: the tree depends on the shapes
 * alone.  */
#include <math.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

enum { CHUNK = 4096 };

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
        c.flop += 2 * shape_count(&n->in[i]->shape);
    return c;
}

static double squares(const real *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static void forward(const struct op_args *a)
{
    double sum = 0;
    for (int k = 0; k < a->node->n_join; k++) {
        const int64_t count = tensor_count(&a->in[k]);
        const real *x = a->in[k].data;
        for (int64_t i = 0; i < count; i += CHUNK)
            sum += squares(x + i, count - i < CHUNK ? count - i : CHUNK);
    }
    *(real *)a->out[0].data = (real)sqrt(sum);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

const struct op op_gradnorm = {
    .name = "gradnorm",
    .brief = "L2 norm of all gradients together",
    .in = in,
    .n_out = 1,
    .flags = OP_JOIN | OP_INTERNAL,
    .infer = infer,
    .cost = cost,
    .forward = forward,
};
