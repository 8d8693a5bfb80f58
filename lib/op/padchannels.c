/* padchannels.c -- channels of zeros beside those of x.
 * SPDX-License-Identifier: MIT
 *
 *   x [N,C,...]  y [N,TO,...]
 * The zeros stand behind the channels, or with SPLIT half of them (rounded
 * down) in front.  The shortcut of option A in He et al., "Deep residual
 * learning", 2015, 4.2.  */
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

static int infer(struct node *n, struct err *e)
{
    struct shape y = n->in[0]->shape;
    if (rule_data(n, 0, 2, SHAPE_MAX, e) < 0 ||
        rule_int(n, "to", 1, INT32_MAX, e) < 0)
        return -1;
    if (attr_int(n, "to") < y.dim[1])
        return err_set(e, ERR_SHAPE,
                       "input %s has more than the %lld channels asked for",
                       ST(&y), (long long)attr_int(n, "to"));
    y.dim[1] = attr_int(n, "to");
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

struct place {
    int64_t rows, from, to, skip; /* images; elements of x and y per image, and
                                     of y in front of x */
};

static struct place place(const struct node *n, const struct shape *x,
                          const struct shape *y)
{
    const struct axis ax = axis_of(x, 1), ay = axis_of(y, 1);
    return (struct place){
        .rows = ax.outer,
        .from = ax.size * ax.inner,
        .to = ay.size * ay.inner,
        .skip = attr_int(n, "split") ? (ay.size - ax.size) / 2 * ay.inner : 0,
    };
}

static void forward(const struct op_args *a)
{
    const struct place p = place(a->node, &a->in[0].shape, &a->out[0].shape);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    memset(y, 0, (size_t)(p.rows * p.to) * sizeof *y);
    for (int64_t n = 0; n < p.rows; n++)
        memcpy(y + n * p.to + p.skip, x + n * p.from,
               (size_t)p.from * sizeof *y);
}

static void backward(const struct op_args *a)
{
    const struct place p = place(a->node, &a->in[0].shape, &a->dout[0].shape);
    const real *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t n = 0; n < p.rows; n++)
        memcpy(dx + n * p.from, dy + n * p.to + p.skip,
               (size_t)p.from * sizeof *dx);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"to", 'i', NULL, "channels of the result"},
    {"split", 'b', "yes", "half of the zeros in front, half behind"},
    {0}};

const struct op op_padchannels = {
    .name = "padchannels",
    .alias = "pad_channels",
    .brief = "add channels of zeros",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = forward,
    .backward = backward,
};
