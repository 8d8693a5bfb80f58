/* concat.c -- values one behind the other along an axis.
 * SPDX-License-Identifier: MIT
 *
 *   x0, x1, ...: equal sizes but for AXIS  y: their sum along AXIS.
 * ONNX Concat.  */
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

/* Add X to Y along AXIS; everything else must agree.  */
static int append(struct shape *y, const struct shape *x, int axis,
                  struct err *e)
{
    struct shape other = *x;
    const struct shape before = *y;
    if (x->rank == y->rank)
        other.dim[axis] = y->dim[axis];
    if (!shape_equal(&other, y))
        return err_set(e, ERR_SHAPE,
                       "operands %s and %s do not fit along axis %d",
                       ST(&before), ST(x), axis);
    y->dim[axis] += x->dim[axis];
    return 0;
}

static int infer(struct node *n, struct err *e)
{
    struct shape y = n->in[0]->shape;
    int axis;
    if (rule_axis(n, "axis", y.rank, &axis, e) < 0)
        return -1;
    for (int i = 0; i < n->n_join; i++)
        if (rule_float(n, i, e) < 0 ||
            (i && append(&y, &n->in[i]->shape, axis, e) < 0))
            return -1;
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

/* Copy operand K to its place in the array ALL, or back from it; a plan may
 * have put it there.  */
static void copy(const struct op_args *a, int k, real *all, real *part,
                 const struct shape *y, int back)
{
    const int axis = (int)attr_int(a->node, "axis");
    const struct axis whole = axis_of(y, axis);
    const struct axis mine = axis_of(&a->in[k].shape, axis);
    const int64_t run = mine.size * mine.inner;
    int64_t skip = 0;
    for (int i = 0; i < k; i++)
        skip += axis_of(&a->in[i].shape, axis).size * whole.inner;
    for (int64_t o = 0; o < whole.outer; o++) {
        real *there = all + o * whole.size * whole.inner + skip;
        real *here = part + o * run;
        if (here != there)
            memcpy(back ? here : there, back ? there : here,
                   (size_t)run * sizeof *here);
    }
}

static void forward(const struct op_args *a)
{
    for (int k = 0; k < a->node->n_join; k++)
        copy(a, k, a->out[0].data, a->in[k].data, &a->out[0].shape, 0);
}

static void backward(const struct op_args *a)
{
    for (int k = 0; k < a->node->n_join; k++)
        if (a->din[k].data)
            copy(a, k, a->dout[0].data, a->din[k].data, &a->dout[0].shape, 1);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"axis", 'i', "1", "the axis along which they follow each other"}, {0}};

static const char *const onnx[] = {"axis", "axis", NULL};

const struct op op_concat = {
    .name = "concat",
    .brief = "put values one behind the other",
    .in = in,
    .n_out = 1,
    .flags = OP_JOIN,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Concat", 4, onnx},
};
