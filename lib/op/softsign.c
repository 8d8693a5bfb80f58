/* softsign.c -- y = x / (1 + |x|).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: dx = dy / (1 + |x|)^2.  Turian,
 * Bergstra, Bengio, "Quadratic features and deep architectures for chunking",
 * 2009.  ONNX Softsign.  */
#include <math.h>

#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

static struct op_cost cost(const struct node *n)
{
    return pointwise_cost(n, 3);
}

static double value(double x, const double *p)
{
    (void)p;
    return x / (1 + fabs(x));
}

static double slope(double x, const double *p)
{
    (void)p;
    const double d = 1 + fabs(x);
    return 1 / (d * d);
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

const struct op op_softsign = {
    .name = "softsign",
    .brief = "squash numbers into (-1, 1), slowly",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Softsign", 1, NULL},
};
