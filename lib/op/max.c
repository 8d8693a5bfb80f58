/* max.c -- y = the largest of x0, x1, ...
 * SPDX-License-Identifier: MIT
 *
 *   x0, x1, ...: shapes that broadcast to that of y.  Backward keeps all x and
 * y: dy goes to the largest, which equal ones share, summed over the axes along
 * which it was repeated.  A NaN is the largest.  ONNX Max.  */
#include <math.h>

#include "base/real.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/join.h"
#include "op/ops.h"

static void forward(const struct op_args *a)
{
    const struct shape *s = &a->out[0].shape;
    const int64_t count = tensor_count(&a->out[0]);
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++) {
        y[i] = join_at(a, 0, s, i);
        for (int k = 1; k < a->node->n_join; k++) {
            const real x = join_at(a, k, s, i);
            if (x > y[i] || isnan(x))
                y[i] = x;
        }
    }
}

static double term(const void *ctx, int64_t i)
{
    const struct join_term *g = ctx;
    const struct tensor *dy = &g->a->dout[0];
    const real y = ((const real *)g->a->out[0].data)[i];
    int equal = 0;
    if (join_at(g->a, g->of, &dy->shape, i) != y)
        return 0;
    for (int k = 0; k < g->a->node->n_join; k++)
        equal += join_at(g->a, k, &dy->shape, i) == y;
    return ((const real *)dy->data)[i] / (double)equal;
}

static void backward(const struct op_args *a)
{
    join_backward(a, term);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

const struct op op_max = {
    .name = "max",
    .brief = "the largest of values, element by element",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .keep_out = 1,
    .flags = OP_JOIN,
    .infer = join_infer,
    .cost = join_cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Max", 8, NULL},
};
