/* div.c -- y = x / by.
 * SPDX-License-Identifier: MIT
 *
 *   x, by: shapes that broadcast to that of y.  Backward keeps both:
 * dx = dy / by, dby = -dy x / by^2, each summed over the axes along which its
 * operand was repeated.  ONNX Div.  */
#include "base/real.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/join.h"
#include "op/ops.h"
#include "op/rule.h"

enum { TOP, BY };

static int infer(struct node *n, struct err *e)
{
    struct shape y = n->in[TOP]->shape;
    if (rule_float(n, TOP, e) < 0 || rule_float(n, BY, e) < 0 ||
        join_shape(&y, &n->in[BY]->shape, e) < 0)
        return -1;
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

static void forward(const struct op_args *a)
{
    const struct shape *s = &a->out[0].shape;
    const int64_t count = tensor_count(&a->out[0]);
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = (real)(join_at(a, TOP, s, i) / join_at(a, BY, s, i));
}

static double top_term(const void *ctx, int64_t i)
{
    const struct op_args *a = ctx;
    const real *dy = a->dout[0].data;
    return dy[i] / (double)join_at(a, BY, &a->dout[0].shape, i);
}

static double by_term(const void *ctx, int64_t i)
{
    const struct op_args *a = ctx;
    const double by = join_at(a, BY, &a->dout[0].shape, i);
    return -top_term(a, i) * join_at(a, TOP, &a->dout[0].shape, i) / by;
}

static void backward(const struct op_args *a)
{
    axis_term *const term[] = {top_term, by_term};
    for (int k = 0; k < 2; k++)
        if (a->din[k].data)
            axis_sum(a->din[k].data, &a->din[k].shape, &a->dout[0].shape,
                     term[k], a);
}

static const struct op_in in[] = {{.name = "x"}, {.name = "by"}, {0}};

const struct op op_div = {
    .name = "div",
    .brief = "divide one value by another, element by element",
    .in = in,
    .n_out = 1,
    .keep_in = 3,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .onnx = {"Div", 7, NULL},
};
