/* split.c -- pieces of a value along an axis.
 * SPDX-License-Identifier: MIT
 *
 *   x: any shape  y0, y1, ...: x cut along AXIS into pieces of SIZES, which
 * must add up.  ONNX Split.  */
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
    int axis, count;
    if (rule_float(n, 0, e) < 0 || rule_axis(n, "axis", y.rank, &axis, e) < 0)
        return -1;
    const int64_t *sizes = attr_ints(n, "sizes", &count);
    int64_t left = y.dim[axis];
    for (int i = 0; i < count; i++) {
        if (sizes[i] < 1 || sizes[i] > left)
            return err_set(e, ERR_SHAPE,
                           "piece %d of %lld does not fit into input %s", i,
                           (long long)sizes[i], ST(&n->in[0]->shape));
        left -= sizes[i];
        y.dim[axis] = sizes[i];
        if (rule_out(n, i, DTYPE_F32, &y, e) < 0)
            return -1;
    }
    if (left)
        return err_set(e, ERR_SHAPE, "the pieces leave %lld of input %s over",
                       (long long)left, ST(&n->in[0]->shape));
    return 0;
}

/* Copy piece PART between its place in ALL (shape X, from SKIP on) and an
 * array of its own; the gradient of a piece that nobody reads is 0.  */
static void copy(const struct op_args *a, int64_t skip, real *all,
                 const struct shape *x, const struct tensor *part, int back)
{
    const int axis = (int)attr_int(a->node, "axis");
    const struct axis whole = axis_of(x, axis);
    const struct axis mine = axis_of(&part->shape, axis);
    const int64_t run = mine.size * mine.inner;
    for (int64_t o = 0; o < whole.outer; o++) {
        real *there = all + (o * whole.size + skip) * whole.inner;
        real *here = part->data ? (real *)part->data + o * run : NULL;
        if (part->data)
            memcpy(back ? there : here, back ? here : there,
                   (size_t)run * sizeof *here);
        else if (back)
            memset(there, 0, (size_t)run * sizeof *there);
    }
}

static void pieces(const struct op_args *a, const struct tensor *x,
                   const struct tensor *part, int back)
{
    int count;
    const int64_t *sizes = attr_ints(a->node, "sizes", &count);
    int64_t skip = 0;
    for (int i = 0; i < count; i++) {
        copy(a, skip, x->data, &x->shape, &part[i], back);
        skip += sizes[i];
    }
}

static void forward(const struct op_args *a)
{
    pieces(a, &a->in[0], a->out, 0);
}

static void backward(const struct op_args *a)
{
    pieces(a, &a->din[0], a->dout, 1);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"axis", 'i', "1", "the axis along which to cut"},
    {"sizes", 'v', NULL, "the size of each piece along it"},
    {0}};

const struct op op_split = {
    .name = "split",
    .brief = "cut a value into pieces",
    .in = in,
    .n_out = -1,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = forward,
    .backward = backward,
};
