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

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = (n->n_join - 1) *
                                    shape_count(&n->out[0]->shape)};
}

/* What operand K gives to element I of Y.  */
static real at(const struct op_args *a, int k, const struct shape *y, int64_t i)
{
    const real *x = a->in[k].data;
    return x[axis_broadcast(&a->in[k].shape, y, i)];
}

static void forward(const struct op_args *a)
{
    const struct shape *s = &a->out[0].shape;
    const int64_t count = tensor_count(&a->out[0]);
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++) {
        y[i] = at(a, 0, s, i);
        for (int k = 1; k < a->node->n_join; k++) {
            const real x = at(a, k, s, i);
            if (x > y[i] || isnan(x))
                y[i] = x;
        }
    }
}

struct gradient {
    const struct op_args *a;
    int of;
};

static double term(const void *ctx, int64_t i)
{
    const struct gradient *g = ctx;
    const struct tensor *dy = &g->a->dout[0];
    const real y = ((const real *)g->a->out[0].data)[i];
    int equal = 0;
    if (at(g->a, g->of, &dy->shape, i) != y)
        return 0;
    for (int k = 0; k < g->a->node->n_join; k++)
        equal += at(g->a, k, &dy->shape, i) == y;
    return ((const real *)dy->data)[i] / (double)equal;
}

static void backward(const struct op_args *a)
{
    for (int k = 0; k < a->node->n_join; k++) {
        const struct gradient g = {a, k};
        if (a->din[k].data)
            axis_sum(a->din[k].data, &a->din[k].shape, &a->dout[0].shape, term,
                     &g);
    }
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
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Max", 8, NULL},
};
