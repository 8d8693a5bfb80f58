/* onehot.c -- class numbers as rows of probabilities.
 * SPDX-License-Identifier: MIT
 *
 *     y[n,k] = x[n] == k
 *
 *   x [N] i64  y [N,CLASSES]
 * A row of class -1 is all zeros, which crossentropy takes for padding; one of
 * another number outside [0, CLASSES) is NaN.  No derivative.  ONNX OneHot
 * gives other numbers there.  */
#include <math.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

static int infer(struct node *n, struct err *e)
{
    const struct value *x = n->in[0];
    struct shape y = x->shape;
    if (rule_int(n, "classes", 1, INT32_MAX, e) < 0)
        return -1;
    if (x->dtype != DTYPE_I64 || y.rank != 1)
        return err_set(e, ERR_SHAPE, "operand x is %s %s, not i64 [N]",
                       dtype_name(x->dtype), ST(&y));
    y.dim[y.rank++] = attr_int(n, "classes");
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

static void forward(const struct op_args *a)
{
    const int64_t classes = attr_int(a->node, "classes");
    const int64_t *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t n = 0; n < tensor_count(&a->in[0]); n++)
        for (int64_t k = 0; k < classes; k++)
            *y++ = x[n] < -1 || x[n] >= classes ? (real)NAN : x[n] == k;
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"classes", 'i', NULL, "numbers of a row"}, {0}};

const struct op op_onehot = {
    .name = "onehot",
    .brief = "class numbers as rows of probabilities",
    .in = in,
    .n_out = 1,
    .flags = OP_INTERNAL,
    .attr = attr,
    .infer = infer,
    .forward = forward,
};
