/* logsoftmax.c -- y = x - log sum exp(x) along an axis.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  The largest x is taken off first.  Backward keeps y:
 * dx = dy - exp(y) (sum of dy along the axis).  ONNX LogSoftmax.  */
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
    int axis;
    if (rule_sample_axis(n, "axis", &n->in[0]->shape, &axis, e) < 0)
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
        y[i] = (real)(x[i] - max - log(sum));
}

static void forward(const struct op_args *a)
{
    const struct axis s =
        axis_of(&a->in[0].shape, (int)attr_int(a->node, "axis"));
    for (int64_t r = 0; r < s.outer * s.inner; r++)
        row(&s, (const real *)a->in[0].data + axis_row(&s, r),
            (real *)a->out[0].data + axis_row(&s, r));
}

static void row_backward(const struct axis *s, const real *y, const real *dy,
                         real *dx)
{
    const int64_t step = s->inner, end = s->size * step;
    double sum = 0;
    for (int64_t i = 0; i < end; i += step)
        sum += dy[i];
    for (int64_t i = 0; i < end; i += step)
        dx[i] = (real)(dy[i] - exp(y[i]) * sum);
}

static void backward(const struct op_args *a)
{
    const struct axis s =
        axis_of(&a->out[0].shape, (int)attr_int(a->node, "axis"));
    for (int64_t r = 0; r < s.outer * s.inner; r++) {
        const int64_t at = axis_row(&s, r);
        row_backward(&s, (const real *)a->out[0].data + at,
                     (const real *)a->dout[0].data + at,
                     (real *)a->din[0].data + at);
    }
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"axis", 'i', "-1", "the axis along which exp of the results adds up to 1"},
    {0}};

static const char *const onnx[] = {"axis", "axis", NULL};

const struct op op_logsoftmax = {
    .name = "logsoftmax",
    .brief = "turn logits into logarithms of probabilities",
    .in = in,
    .n_out = 1,
    .keep_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"LogSoftmax", 13, onnx},
};
