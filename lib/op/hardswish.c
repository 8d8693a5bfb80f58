/* hardswish.c -- y = x min(max(x + 3, 0), 6) / 6.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: dx = 0 where x <= -3, dy where x >= 3,
 * else dy (x / 3 + 1/2).  Howard et al., "Searching for MobileNetV3", 2019,
 * 5.2.  ONNX HardSwish.  */
#include <math.h>

#include "base/real.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 4 * shape_count(&n->out[0]->shape)};
}

static double gate(double x)
{
    return x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6;
}

static double slope(double x)
{
    return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + .5;
}

static void forward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->in[0]);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = (real)(x[i] * gate(x[i]));
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
