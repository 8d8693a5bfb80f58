/* pow.c -- y = x^p, p a number.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: dx = dy p x^(p - 1).  As pow() of C: x
 * below 0 needs a whole p.  ONNX Pow by a constant.  */
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
    return pow(x, p[0]);
}

static double slope(double x, const double *p)
{
    return p[0] != 0 ? p[0] * pow(x, p[0] - 1) : 0;
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

static const struct op_attr attr[] = {{"exponent", 'f', NULL, "the power"},
                                      {0}};

static const char *const onnx[] = {"exponent", "@1", NULL};

const struct op op_pow = {
    .name = "pow",
    .brief = "numbers to a power",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .attr = attr,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Pow", 7, onnx},
};
