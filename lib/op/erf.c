/* erf.c -- y = erf(x), the error function.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: dx = dy 2 / sqrt(pi) exp(-x^2).
 * ONNX Erf.  */
#include <math.h>

#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

static struct op_cost cost(const struct node *n)
{
    return pointwise_cost(n, 8);
}

static double value(double x, const double *p)
{
    (void)p;
    return erf(x);
}

static double slope(double x, const double *p)
{
    (void)p;
    return M_2_SQRTPI * exp(-x * x);
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

const struct op op_erf = {
    .name = "erf",
    .brief = "the error function of numbers",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Erf", 9, NULL},
};
