/* mish.c -- y = x tanh(log(1 + exp(x))).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: with t = tanh(log(1 + exp(x))) and
 * s = 1 / (1 + exp(-x)), dx = dy (t + x s (1 - t^2)).  Misra, "Mish: a self
 * regularized non-monotonic activation function", 2020.  ONNX Mish.  */
#include <math.h>

#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

/* tanh(log(1 + exp(x))) */
static double gate(double x)
{
    return tanh((x > 0 ? x : 0) + log1p(exp(-fabs(x))));
}

static struct op_cost cost(const struct node *n)
{
    return pointwise_cost(n, 8);
}

static double value(double x, const double *p)
{
    (void)p;
    return x * gate(x);
}

static double slope(double x, const double *p)
{
    (void)p;
    const double t = gate(x);
    return t + x / (1 + exp(-x)) * (1 - t * t);
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

const struct op op_mish = {
    .name = "mish",
    .brief = "weigh numbers by a smooth gate",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Mish", 18, NULL},
};
