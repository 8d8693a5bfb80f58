/* log.c -- y = log(x), to the base e.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: dx = dy / x.  As log() of C below 0.
 * ONNX Log.  */
#include <math.h>

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
    return log(x);
}

static double slope(double x, const double *p)
{
    (void)p;
    return 1 / x;
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

const struct op op_log = {
    .name = "log",
    .brief = "logarithms of numbers",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Log", 6, NULL},
};
