/* leakyrelu.c -- y = x where x > 0, else slope x.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: dx = dy where x > 0, else slope dy.
 * Maas, Hannun, Ng, "Rectifier nonlinearities improve neural network acoustic
 * models", 2013.  ONNX LeakyRelu.  */
#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

static struct op_cost cost(const struct node *n)
{
    return pointwise_cost(n, 2);
}

static double value(double x, const double *p)
{
    return x > 0 ? x : p[0] * x;
}

static double slope(double x, const double *p)
{
    return x > 0 ? 1 : p[0];
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
    {"slope", 'f', "0.01", "of negative numbers"}, {0}};

static const char *const onnx[] = {"slope", "alpha", NULL};

const struct op op_leakyrelu = {
    .name = "leakyrelu",
    .brief = "flatten negative numbers",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .attr = attr,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"LeakyRelu", 6, onnx},
};
