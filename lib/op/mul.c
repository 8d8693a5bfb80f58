/* mul.c -- y = x0 x1 ...
 * SPDX-License-Identifier: MIT
 *
 *   x0, x1, ...: shapes that broadcast to that of y.  Backward keeps all x:
 * the gradient of one is dy times the product of the others, summed over the
 * axes along which it was repeated.  ONNX Mul (two operands).  */
#include "base/real.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/join.h"
#include "op/ops.h"

/* The product at element I of Y of all operands but LEFT_OUT.  */
static double product(const struct op_args *a, const struct shape *y, int64_t i,
                      int left_out)
{
    double p = 1;
    for (int k = 0; k < a->node->n_join; k++)
        if (k != left_out)
            p *= join_at(a, k, y, i);
    return p;
}

static void forward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->out[0]);
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = (real)product(a, &a->out[0].shape, i, -1);
}

static double term(const void *ctx, int64_t i)
{
    const struct join_term *g = ctx;
    const struct tensor *dy = &g->a->dout[0];
    return ((const real *)dy->data)[i] * product(g->a, &dy->shape, i, g->of);
}

static void backward(const struct op_args *a)
{
    join_backward(a, term);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

const struct op op_mul = {
    .name = "mul",
    .brief = "multiply values, element by element",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_JOIN,
    .infer = join_infer,
    .cost = join_cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Mul", 7, NULL},
};
