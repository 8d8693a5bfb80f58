/* clip.c -- y = min(max(x, min), max).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: dx = dy where min <= x <= max, else 0.
 * Errors: min > max.  ONNX Clip.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

static int infer(struct node *n, struct err *e)
{
    const double min = attr_real(n, "min"), max = attr_real(n, "max");
    if (!(min <= max))
        return err_set(e, ERR_USAGE,
                       "attribute min = %g is larger than max = %g", min, max);
    return rule_same(n, e);
}

static void forward(const struct op_args *a)
{
    const real min = (real)attr_real(a->node, "min");
    const real max = (real)attr_real(a->node, "max");
    const int64_t count = tensor_count(&a->in[0]);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i] < min ? min : x[i] > max ? max : x[i];
}

static void backward(const struct op_args *a)
{
    const real min = (real)attr_real(a->node, "min");
    const real max = (real)attr_real(a->node, "max");
    const int64_t count = tensor_count(&a->dout[0]);
    const real *x = a->in[0].data, *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t i = 0; i < count; i++)
        dx[i] = x[i] >= min && x[i] <= max ? dy[i] : 0;
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"min", 'f', "-3e38", "the smallest result"},
    {"max", 'f', "3e38", "the largest result"},
    {0}};

static const char *const onnx[] = {"min", "@1", "max", "@2", NULL};

const struct op op_clip = {
    .name = "clip",
    .brief = "limit numbers to a range",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .attr = attr,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .onnx = {"Clip", 11, onnx},
};
