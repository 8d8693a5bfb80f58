/* tanh.c -- y = tanh(x).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps y: dx = dy (1 - y^2).  ONNX Tanh.  */
#include <math.h>

#include "base/real.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 5 * shape_count(&n->out[0]->shape)};
}

static void forward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->in[0]);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = (real)tanh(x[i]);
}

static void backward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->dout[0]);
    const real *y = a->out[0].data, *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t i = 0; i < count; i++)
        dx[i] = (real)(dy[i] * (1 - (double)y[i] * y[i]));
}

static const struct op_in in[] = {{.name = "x"}, {0}};

const struct op op_tanh = {
    .name = "tanh",
    .brief = "squash numbers into (-1, 1)",
    .in = in,
    .n_out = 1,
    .keep_out = 1,
    .flags = OP_ELEMENTWISE,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Tanh", 6, NULL},
};
