/* subsample.c -- every STRIDE-th row and column: y = x[:, :, ::s, ::s].
 * SPDX-License-Identifier: MIT
 *
 *   x [N,C,H,W]  y [N,C,ceil(H/s),ceil(W/s)].  The shortcut of option A in
 * He et al., "Deep residual learning", 2015, 4.2, with padchannels.  */
#include <string.h>

#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

static int infer(struct node *n, struct err *e)
{
    struct shape y = n->in[0]->shape;
    if (rule_data(n, 0, 4, 4, e) < 0 ||
        rule_int(n, "stride", 1, INT32_MAX, e) < 0)
        return -1;
    const int64_t s = attr_int(n, "stride");
    y.dim[2] = (y.dim[2] - 1) / s + 1;
    y.dim[3] = (y.dim[3] - 1) / s + 1;
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

/* The element of x that element I of y is.  */
static int64_t source(const struct shape *x, const struct shape *y, int64_t s,
                      int64_t i)
{
    const int64_t q = i % y->dim[3], p = i / y->dim[3] % y->dim[2];
    const int64_t plane = i / y->dim[3] / y->dim[2];
    return (plane * x->dim[2] + p * s) * x->dim[3] + q * s;
}

static void forward(const struct op_args *a)
{
    const struct shape *xs = &a->in[0].shape, *ys = &a->out[0].shape;
    const int64_t s = attr_int(a->node, "stride"), count = shape_count(ys);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = x[source(xs, ys, s, i)];
}

static void backward(const struct op_args *a)
{
    const struct shape *xs = &a->in[0].shape, *ys = &a->dout[0].shape;
    const int64_t s = attr_int(a->node, "stride"), count = shape_count(ys);
    const real *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    memset(dx, 0, (size_t)shape_count(xs) * sizeof *dx);
    for (int64_t i = 0; i < count; i++)
        dx[source(xs, ys, s, i)] = dy[i];
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"stride", 'i', NULL, "keep the first of so many rows and columns"}, {0}};

const struct op op_subsample = {
    .name = "subsample",
    .brief = "keep every so manieth row and column",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = forward,
    .backward = backward,
};
