/* slice.c -- a run of places along an axis.
 * SPDX-License-Identifier: MIT
 *
 *   x: any shape  y: places [start, start + length) of x along AXIS.  */
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
    int axis;
    if (rule_float(n, 0, e) < 0 || rule_axis(n, "axis", y.rank, &axis, e) < 0 ||
        rule_int(n, "start", 0, INT32_MAX, e) < 0 ||
        rule_int(n, "length", 1, INT32_MAX, e) < 0)
        return -1;
    const int64_t start = attr_int(n, "start"), length = attr_int(n, "length");
    if (rule_batch(&y, axis) || start + length > y.dim[axis])
        return err_set(e, ERR_SHAPE,
                       "places [%lld,%lld) are not along axis %d of input %s",
                       (long long)start, (long long)(start + length), axis,
                       ST(&y));
    y.dim[axis] = length;
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

/* The runs of X that are the rows of Y.  */
struct runs {
    int64_t rows, step, skip, run;
};

static struct runs runs(const struct node *n, const struct shape *x)
{
    const struct axis s = axis_of(x, (int)attr_int(n, "axis"));
    return (struct runs){
        .rows = s.outer,
        .step = s.size * s.inner,
        .skip = attr_int(n, "start") * s.inner,
        .run = attr_int(n, "length") * s.inner,
    };
}

static void forward(const struct op_args *a)
{
    const struct runs r = runs(a->node, &a->in[0].shape);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < r.rows; i++)
        memcpy(y + i * r.run, x + i * r.step + r.skip,
               (size_t)r.run * sizeof *y);
}

static void backward(const struct op_args *a)
{
    const struct runs r = runs(a->node, &a->din[0].shape);
    const real *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    memset(dx, 0, (size_t)(r.rows * r.step) * sizeof *dx);
    for (int64_t i = 0; i < r.rows; i++)
        memcpy(dx + i * r.step + r.skip, dy + i * r.run,
               (size_t)r.run * sizeof *dx);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"axis", 'i', "1", "the axis along which to cut"},
    {"start", 'i', "0", "the first place kept"},
    {"length", 'i', NULL, "how many are kept"},
    {0}};

const struct op op_slice = {
    .name = "slice",
    .brief = "keep a run of places along an axis",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = forward,
    .backward = backward,
};
