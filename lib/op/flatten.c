/* flatten.c -- the sizes before and from an axis on, each as one.
 * SPDX-License-Identifier: MIT
 *
 *   x [a,b,...,c,d,...]  y [a b ..., c d ...], cut at AXIS.  ONNX Flatten.  */
#include "base/err.h"
#include "base/mem.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[0]->shape;
    int axis;
    if (rule_axis(n, "axis", x->rank, &axis, e) < 0)
        return -1;
    struct shape y = shape_make(2, (int64_t[]){1, 1});
    for (int i = 0; i < x->rank; i++)
        if (i64_mul(y.dim[i >= axis], x->dim[i], &y.dim[i >= axis]) < 0)
            return err_set(e, ERR_SHAPE, "input %s is too large", ST(x));
    return view_infer(n, &y, e);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"axis", 'i', "1", "the first of the sizes that become the second one"},
    {0}};

static const char *const onnx[] = {"axis", "axis", NULL};

const struct op op_flatten = {
    .name = "flatten",
    .brief = "join sizes, so that two remain",
    .in = in,
    .n_out = 1,
    .flags = OP_VIEW,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = view_forward,
    .backward = view_backward,
    .onnx = {"Flatten", 1, onnx},
};
