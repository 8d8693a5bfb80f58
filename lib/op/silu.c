/* silu.c -- y = x / (1 + exp(-x)), also called swish.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: with s = 1 / (1 + exp(-x)),
 * dx = dy s (1 + x (1 - s)).  Elfwing, Uchibe, Doya, "Sigmoid-weighted linear
 * units", 2017.  */
#include <math.h>

#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

static struct op_cost cost(const struct node *n)
{
    return pointwise_cost(n, 5);
}

static double value(double x, const double *p)
{
    (void)p;
    return x / (1 + exp(-x));
}

static double slope(double x, const double *p)
{
    (void)p;
    const double s = 1 / (1 + exp(-x));
    return s * (1 + x * (1 - s));
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

const struct op op_silu = {
    .name = "silu",
    .brief = "weigh numbers by their sigmoid",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
