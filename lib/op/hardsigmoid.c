/* hardsigmoid.c -- y = min(max(alpha x + beta, 0), 1).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps y: dx = alpha dy where 0 < y < 1, else 0.
 * The defaults are those of MobileNetV3, min(max(x + 3, 0), 6) / 6; ONNX's
 * own are 0.2 and 0.5.  ONNX HardSigmoid.  */
#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

static struct op_cost cost(const struct node *n)
{
    return pointwise_cost(n, 4);
}

static double value(double x, const double *p)
{
    const double v = p[0] * x + p[1];
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static double slope(double y, const double *p)
{
    return y > 0 && y < 1 ? p[0] : 0;
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

static const struct op_attr attr[] = {
    {"alpha", 'f', "0.16666666666666666", "slope"},
    {"beta", 'f', "0.5", "value at 0"},
    {0}};

static const char *const onnx[] = {"alpha", "alpha", "beta", "beta", NULL};

const struct op op_hardsigmoid = {
    .name = "hardsigmoid",
    .brief = "squash numbers into [0, 1] by a straight line",
    .in = in,
    .n_out = 1,
    .keep_out = 1,
    .flags = OP_ELEMENTWISE,
    .attr = attr,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"HardSigmoid", 6, onnx},
};
