/* relu.c -- y = max(x, 0).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps y: dx = dy where y > 0, else 0 (also at
 * x = 0).  A NaN stays one.  ONNX Relu.  */
#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

static double value(double x, const double *p)
{
    (void)p;
    return x < 0 ? 0 : x;
}

static double slope(double y, const double *p)
{
    (void)p;
    return y > 0;
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

const struct op op_relu = {
    .name = "relu",
    .brief = "set negative numbers to zero",
    .in = in,
    .n_out = 1,
    .keep_out = 1,
    .flags = OP_ELEMENTWISE,
    .infer = rule_same,
    .forward = forward,
    .backward = backward,
    .onnx = {"Relu", 6, NULL},
};
