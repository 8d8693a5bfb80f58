/* relu6.c -- y = min(max(x, 0), 6).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps y: dx = dy where 0 < y < 6, else 0.
 * Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.  ONNX
 * Clip.  */
#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

static double value(double x, const double *p)
{
    (void)p;
    return x < 0 ? 0 : x > 6 ? 6 : x;
}

static double slope(double y, const double *p)
{
    (void)p;
    return y > 0 && y < 6;
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

static const char *const onnx[] = {"=0", "@1", "=6", "@2", NULL};

const struct op op_relu6 = {
    .name = "relu6",
    .brief = "limit numbers to [0, 6]",
    .in = in,
    .n_out = 1,
    .keep_out = 1,
    .flags = OP_ELEMENTWISE,
    .infer = rule_same,
    .forward = forward,
    .backward = backward,
    .onnx = {"Clip", 11, onnx},
};
