/* oneslike.c -- ones in the shape of another array.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape, y = 1.  Backward keeps nothing: dx = 0.  ONNX Clip
 * between equal limits.  */
#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

static struct op_cost cost(const struct node *n)
{
    return pointwise_cost(n, 0);
}

static void forward(const struct op_args *a)
{
    pointwise_fill(&a->out[0], 1);
}

static void backward(const struct op_args *a)
{
    pointwise_fill(&a->din[0], 0);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const char *const onnx[] = {"=1", "@1", "=1", "@2", NULL};

const struct op op_oneslike = {
    .name = "oneslike",
    .brief = "ones in the shape of another array",
    .in = in,
    .n_out = 1,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Clip", 11, onnx},
};
