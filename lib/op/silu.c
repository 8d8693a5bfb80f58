/* silu.c -- y = x / (1 + exp(-x)), also called swish.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: with s = 1 / (1 + exp(-x)),
 * dx = dy s (1 + x (1 - s)).  Elfwing, Uchibe, Doya, "Sigmoid-weighted linear
 * units", 2017.  */
#include <math.h>

#include "base/real.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 5 * shape_count(&n->out[0]->shape)};
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double slope(double x)
{
    const double s = sigmoid(x);
    return s * (1 + x * (1 - s));
}

static void forward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->in[0]);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = (real)(x[i] * sigmoid(x[i]));
}

static void backward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->dout[0]);
    const real *x = a->in[0].data, *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t i = 0; i < count; i++)
        dx[i] = (real)(dy[i] * slope(x[i]));
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
