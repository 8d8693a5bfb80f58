/* elu.c -- y = x where x > 0, else alpha (exp(x) - 1).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: dx = dy where x > 0, else
 * alpha exp(x) dy.  Clevert, Unterthiner, Hochreiter, "Fast and accurate deep
 * network learning by exponential linear units (ELUs)", 2016, equation 15.
 * ONNX Elu.  */
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
    return x > 0 ? x : p[0] * expm1(x);
}

static double slope(double x, const double *p)
{
    return x > 0 ? 1 : p[0] * exp(x);
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
    {"alpha", 'f', "1", "the limit, below zero"}, {0}};

static const char *const onnx[] = {"alpha", "alpha", NULL};

const struct op op_elu = {
    .name = "elu",
    .brief = "bend negative numbers towards a limit",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .attr = attr,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Elu", 6, onnx},
};
