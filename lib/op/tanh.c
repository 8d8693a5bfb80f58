/* tanh.c -- y = tanh(x).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps y: dx = dy (1 - y^2).  ONNX Tanh.  */
#include <math.h>

#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

static struct op_cost cost(const struct node *n)
{
    return pointwise_cost(n, 5);
}

static double value(double x, const double *p)
{
    (void)p;
    return tanh(x);
}

static double slope(double y, const double *p)
{
    (void)p;
    return 1 - y * y;
}

static void forward(const struct op_args *a)
{
    pointwise_forward(a, value);
}

static void backward(const struct op_args *a)
{
    pointwise_backward(a, slope);
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
