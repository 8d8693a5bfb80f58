/* hardsigmoid.c -- y = min(max(alpha x + beta, 0), 1).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps y: dx = alpha dy where 0 < y < 1, else 0.
 * The defaults are those of MobileNetV3, min(max(x + 3, 0), 6) / 6; ONNX's
 * own are 0.2 and 0.5.  ONNX HardSigmoid.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 4 * shape_count(&n->out[0]->shape)};
}

static void forward(const struct op_args *a)
{
    const double alpha = attr_real(a->node, "alpha");
    const double beta = attr_real(a->node, "beta");
    const int64_t count = tensor_count(&a->in[0]);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++) {
        const double v = alpha * x[i] + beta;
        y[i] = (real)(v < 0 ? 0 : v > 1 ? 1 : v);
    }
}

static void backward(const struct op_args *a)
{
    const double alpha = attr_real(a->node, "alpha");
    const int64_t count = tensor_count(&a->dout[0]);
    const real *y = a->out[0].data, *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t i = 0; i < count; i++)
        dx[i] = (real)(y[i] > 0 && y[i] < 1 ? alpha * dy[i] : 0);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"alpha", 'f', "0.16666666666666666", "slope"},
    {"beta", 'f', "0.5", "value at 0"},
    {0}};

static const char *const onnx[] = {"alpha", "alpha", "beta", "beta", NULL};

const struct op op_hardsigmoid = {
    .name = "hardsigmoid",
    .brief = "squash numbers into [0, 1] by a straight line",
    .in = in,
    .n_out = 1,
    .keep_out = 1,
    .flags = OP_ELEMENTWISE,
    .attr = attr,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"HardSigmoid", 6, onnx},
};
