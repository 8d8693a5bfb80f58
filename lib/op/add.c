/* add.c -- y = x0 + x1 + ...
 * SPDX-License-Identifier: MIT
 *
 *   x0, x1, ...: shapes that broadcast to that of y.  Backward keeps nothing:
 * the gradient of x is dy, summed over the axes along which x was repeated.
 * ONNX Add (two operands).  */
#include "base/real.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/join.h"
#include "op/ops.h"

static void forward(const struct op_args *a)
{
    const struct shape *s = &a->out[0].shape;
    const int64_t count = shape_count(s);
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int k = 0; k < a->node->n_join; k++)
            sum += join_at(a, k, s, i);
        y[i] = (real)sum;
    }
}

static double term(const void *dy, int64_t i)
{
    return ((const real *)dy)[i];
}

static void backward(const struct op_args *a)
{
    for (int k = 0; k < a->node->n_join; k++)
        if (a->din[k].data)
            axis_sum(a->din[k].data, &a->din[k].shape, &a->dout[0].shape, term,
                     a->dout[0].data);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

const struct op op_add = {
    .name = "add",
    .brief = "add values, element by element",
    .in = in,
    .n_out = 1,
    .flags = OP_JOIN | OP_SUM,
    .infer = join_infer,
    .cost = join_cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Add", 7, NULL},
};
