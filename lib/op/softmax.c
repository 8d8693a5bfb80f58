/* softmax.c -- y = exp(x) / sum exp(x) along an axis.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  The largest x is taken off first.  Backward keeps y:
 * dx = y (dy - sum of dy y along the axis).  ONNX Softmax.  */
#include <math.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[0]->shape;
    int axis;
    if (rule_sample_axis(n, "axis", x, &axis, e) < 0)
        return -1;
    return rule_same(n, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 4 * shape_count(&n->out[0]->shape)};
}

/* One row of S->size numbers, S->inner apart.  */
static void row(const struct axis *s, const real *x, real *y)
{
    const int64_t step = s->inner, end = s->size * step;
    double max = x[0], sum = 0;
    for (int64_t i = 0; i < end; i += step)
        if (x[i] > max)
            max = x[i];
    for (int64_t i = 0; i < end; i += step)
        sum += exp(x[i] - max);
    for (int64_t i = 0; i < end; i += step)
        y[i] = (real)(exp(x[i] - max) / sum);
}

static void forward(const struct op_args *a)
{
    const struct axis s =
        axis_of(&a->in[0].shape, (int)attr_int(a->node, "axis"));
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t o = 0; o < s.outer; o++)
        for (int64_t i = 0; i < s.inner; i++) {
            const int64_t at = o * s.size * s.inner + i;
            row(&s, x + at, y + at);
        }
}

static void row_backward(const struct axis *s, const real *y, const real *dy,
                         real *dx)
{
    const int64_t step = s->inner, end = s->size * step;
    double sum = 0;
    for (int64_t i = 0; i < end; i += step)
        sum += (double)dy[i] * y[i];
    for (int64_t i = 0; i < end; i += step)
        dx[i] = (real)(y[i] * (dy[i] - sum));
}

static void backward(const struct op_args *a)
{
    const struct axis s =
        axis_of(&a->out[0].shape, (int)attr_int(a->node, "axis"));
    const real *y = a->out[0].data, *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t o = 0; o < s.outer; o++)
        for (int64_t i = 0; i < s.inner; i++) {
            const int64_t at = o * s.size * s.inner + i;
            row_backward(&s, y + at, dy + at, dx + at);
        }
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"axis", 'i', "-1", "the axis along which the results add up to 1"}, {0}};

static const char *const onnx[] = {"axis", "axis", NULL};

const struct op op_softmax = {
    .name = "softmax",
    .brief = "turn logits into probabilities",
    .in = in,
    .n_out = 1,
    .keep_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Softmax", 13, onnx},
};
