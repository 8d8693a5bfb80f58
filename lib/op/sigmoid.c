/* sigmoid.c -- y = 1 / (1 + exp(-x)).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps y: dx = dy y (1 - y).  ONNX Sigmoid.  */
#include <math.h>

#include "base/real.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 4 * shape_count(&n->out[0]->shape)};
}

static void forward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->in[0]);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = (real)(1 / (1 + exp(-(double)x[i])));
}

static void backward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->dout[0]);
    const real *y = a->out[0].data, *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t i = 0; i < count; i++)
        dx[i] = (real)(dy[i] * y[i] * (1 - (double)y[i]));
}

static const struct op_in in[] = {{.name = "x"}, {0}};

const struct op op_sigmoid = {
    .name = "sigmoid",
    .brief = "squash numbers into (0, 1)",
    .in = in,
    .n_out = 1,
    .keep_out = 1,
    .flags = OP_ELEMENTWISE,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Sigmoid", 6, NULL},
};
