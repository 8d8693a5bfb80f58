/* select.c -- one place along an axis, which goes away.
 * SPDX-License-Identifier: MIT
 *
 *   x: any shape  y: x at place INDEX of AXIS, without that axis.  */
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
    const struct shape *x = &n->in[0]->shape;
    int axis;
    if (rule_float(n, 0, e) < 0 || rule_axis(n, "axis", x->rank, &axis, e) < 0)
        return -1;
    if (rule_batch(x, axis))
        return err_set(e, ERR_SHAPE, "axis %d of input %s counts the batch",
                       axis, ST(x));
    if (rule_int(n, "index", 0, x->dim[axis] - 1, e) < 0)
        return -1;
    const struct shape y = axis_without(x, axis);
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

static void forward(const struct op_args *a)
{
    const struct axis s =
        axis_of(&a->in[0].shape, (int)attr_int(a->node, "axis"));
    const int64_t index = attr_int(a->node, "index");
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t o = 0; o < s.outer; o++)
        memcpy(y + o * s.inner, x + (o * s.size + index) * s.inner,
               (size_t)s.inner * sizeof *y);
}

static void backward(const struct op_args *a)
{
    const struct axis s =
        axis_of(&a->din[0].shape, (int)attr_int(a->node, "axis"));
    const int64_t index = attr_int(a->node, "index");
    const real *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    memset(dx, 0, (size_t)tensor_count(&a->din[0]) * sizeof *dx);
    for (int64_t o = 0; o < s.outer; o++)
        memcpy(dx + (o * s.size + index) * s.inner, dy + o * s.inner,
               (size_t)s.inner * sizeof *dx);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"axis", 'i', "1", "the axis that goes away"},
    {"index", 'i', "0", "the place along it that is kept"},
    {0}};

const struct op op_select = {
    .name = "select",
    .brief = "keep one place along an axis",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = forward,
    .backward = backward,
};
