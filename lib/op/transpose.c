/* transpose.c -- axes in another order.
 * SPDX-License-Identifier: MIT
 *
 *   x: any shape  y: its axis i is axis perm[i] of x.  ONNX Transpose.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[0]->shape;
    struct shape y = {.rank = x->rank};
    int count;
    const int64_t *perm = attr_ints(n, "perm", &count);
    unsigned seen = 0;
    if (rule_float(n, 0, e) < 0)
        return -1;
    for (int i = 0; i < count && i < x->rank; i++)
        if (perm[i] >= 0 && perm[i] < x->rank)
            seen |= 1u << perm[i];
    if (count != x->rank || seen != (1u << x->rank) - 1)
        return err_set(e, ERR_USAGE,
                       "attribute perm is no order of the axes of input %s",
                       ST(x));
    for (int i = 0; i < count; i++) {
        y.dim[i] = x->dim[perm[i]];
        y.batch |= (uint8_t)(rule_batch(x, (int)perm[i]) << i);
    }
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

/* The element of x that element I of y (shape Y) is.  */
static int64_t source(const struct op_args *a, const struct shape *x,
                      const struct shape *y, int64_t i)
{
    int count;
    const int64_t *perm = attr_ints(a->node, "perm", &count);
    int64_t stride[SHAPE_MAX], step = 1, at = 0;
    for (int d = x->rank - 1; d >= 0; d--) {
        stride[d] = step;
        step *= x->dim[d];
    }
    for (int d = count - 1; d >= 0; d--) {
        at += i % y->dim[d] * stride[perm[d]];
        i /= y->dim[d];
    }
    return at;
}

static void forward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->out[0]);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = x[source(a, &a->in[0].shape, &a->out[0].shape, i)];
}

static void backward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->dout[0]);
    const real *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t i = 0; i < count; i++)
        dx[source(a, &a->din[0].shape, &a->dout[0].shape, i)] = dy[i];
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"perm", 'v', NULL, "the axes of the input in their new order"}, {0}};

static const char *const onnx[] = {"perm", "perm", NULL};

const struct op op_transpose = {
    .name = "transpose",
    .brief = "put axes into another order",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Transpose", 1, onnx},
};
