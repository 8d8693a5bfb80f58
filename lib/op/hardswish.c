/* hardswish.c -- y = x min(max(x + 3, 0), 6) / 6.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: dx = 0 where x <= -3, dy where x >= 3,
 * else dy (x / 3 + 1/2).  Howard et al., "Searching for MobileNetV3", 2019,
 * 5.2.  ONNX HardSwish.  */
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
    (void)p;
    return x * (x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6);
}

static double slope(double x, const double *p)
{
    (void)p;
    return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + .5;
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

const struct op op_hardswish = {
    .name = "hardswish",
    .brief = "weigh numbers by a straight gate",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"HardSwish", 14, NULL},
};
