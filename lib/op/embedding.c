/* embedding.c -- rows of a learned table, by their numbers.
 * SPDX-License-Identifier: MIT
 *
 *     y[..., :] = weight[x[...], :]
 *
 *   x i64, any shape  weight [ROWS,DIM]  y: as x, with DIM behind
 * A number outside [0, ROWS) gives zeros and moves nothing.  Backward keeps x:
 * a row of dweight is the sum, in the order of x, of dy where x is its number.
 * It is a linear layer over one-hot vectors.  ONNX Gather.  */
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, WEIGHT };

static int infer(struct node *n, struct err *e)
{
    const struct value *x = n->in[X];
    struct shape y = x->shape;
    if (rule_int(n, "rows", 1, INT32_MAX, e) < 0 ||
        rule_int(n, "dim", 1, INT32_MAX, e) < 0)
        return -1;
    const int64_t weight[] = {attr_int(n, "rows"), attr_int(n, "dim")};
    if (x->dtype != DTYPE_I64)
        return err_set(e, ERR_SHAPE, "operand x is %s, not i64",
                       dtype_name(x->dtype));
    if (y.rank == SHAPE_MAX)
        return err_set(e, ERR_SHAPE, "input %s has too many sizes", ST(&y));
    y.dim[y.rank++] = weight[1];
    if (rule_weight(n, WEIGHT, 2, weight, e) < 0)
        return -1;
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

static struct op_cost cost(const struct node *n)
{
    (void)n;
    return (struct op_cost){0};
}

static int is_row(const struct op_args *a, int64_t i)
{
    return i >= 0 && i < attr_int(a->node, "rows");
}

static void forward(const struct op_args *a)
{
    const int64_t dim = attr_int(a->node, "dim"), *x = a->in[X].data;
    const real *w = a->in[WEIGHT].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < tensor_count(&a->in[X]); i++, y += dim)
        for (int64_t d = 0; d < dim; d++)
            y[d] = is_row(a, x[i]) ? w[x[i] * dim + d] : 0;
}

static void backward(const struct op_args *a)
{
    const int64_t dim = attr_int(a->node, "dim"), *x = a->in[X].data;
    const real *dy = a->dout[0].data;
    real *dw = a->din[WEIGHT].data;
    for (int64_t i = 0; i < tensor_count(&a->din[WEIGHT]); i++)
        dw[i] = 0;
    for (int64_t i = 0; i < tensor_count(&a->in[X]); i++, dy += dim)
        for (int64_t d = 0; is_row(a, x[i]) && d < dim; d++)
            dw[x[i] * dim + d] += dy[d];
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "weight", .role = ROLE_PARAM, .init = "normal 1"},
    {0}};

static const struct op_attr attr[] = {{"rows", 'i', NULL, "rows of the table"},
                                      {"dim", 'i', NULL, "numbers of a row"},
                                      {0}};

const struct op op_embedding = {
    .name = "embedding",
    .brief = "look up rows of a learned table",
    .in = in,
    .n_out = 1,
    .keep_in = 1 << X,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
