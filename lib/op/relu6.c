/* relu6.c -- y = min(max(x, 0), 6).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps y: dx = dy where 0 < y < 6, else 0.
 * Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.  ONNX
 * Clip.  */
#include "base/real.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

static void forward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->in[0]);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i] < 0 ? 0 : x[i] > 6 ? 6 : x[i];
}

static void backward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->out[0]);
    const real *y = a->out[0].data, *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t i = 0; i < count; i++)
        dx[i] = y[i] > 0 && y[i] < 6 ? dy[i] : 0;
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
