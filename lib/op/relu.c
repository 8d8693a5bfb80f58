/* relu.c -- y = max(x, 0).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps y: dx = dy where y > 0, else 0 (also at
 * x = 0).  A NaN stays one.  ONNX Relu.  */
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
        y[i] = x[i] < 0 ? 0 : x[i];
}

static void backward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->out[0]);
    const real *y = a->out[0].data, *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t i = 0; i < count; i++)
        dx[i] = y[i] > 0 ? dy[i] : 0;
}

static const struct op_in in[] = {{.name = "x"}, {0}};

const struct op op_relu = {
    .name = "relu",
    .brief = "set negative numbers to zero",
    .in = in,
    .n_out = 1,
    .keep_out = 1,
    .flags = OP_ELEMENTWISE,
    .infer = rule_same,
    .forward = forward,
    .backward = backward,
    .onnx = {"Relu", 6, NULL},
};
