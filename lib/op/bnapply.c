/* bnapply.c -- normalisation by statistics that are given.
 * SPDX-License-Identifier: MIT
 *
 *     y = weight (x - mean) invstd + bias
 *
 *   x [N,C,...]  mean, invstd, weight, bias [C], the last two may be absent
 * y as x.  What follows bnstats.  */
#include "base/real.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, MEAN, INVSTD, WEIGHT, BIAS };

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    if (rule_data(n, X, 2, SHAPE_MAX, e) < 0)
        return -1;
    for (int i = MEAN; i <= BIAS; i++)
        if (rule_weight(n, i, 1, &x->dim[1], e) < 0)
            return -1;
    return rule_out(n, 0, DTYPE_F32, x, e);
}

static struct op_cost cost(const struct node *n)
{
    const int64_t count = shape_count(&n->out[0]->shape);
    return (struct op_cost){.flop = 2 * count, .mac = count};
}

static void forward(const struct op_args *a)
{
    const struct axis s = axis_of(&a->in[X].shape, 1);
    const real *x = a->in[X].data, *mean = a->in[MEAN].data;
    const real *invstd = a->in[INVSTD].data;
    const real *w = a->in[WEIGHT].data, *b = a->in[BIAS].data;
    real *y = a->out[0].data;
    for (int64_t o = 0; o < s.outer; o++)
        for (int64_t c = 0; c < s.size; c++) {
            const double scale = (w ? w[c] : 1) * (double)invstd[c];
            for (int64_t i = 0; i < s.inner; i++) {
                const int64_t at = (o * s.size + c) * s.inner + i;
                y[at] =
                    (real)((x[at] - (double)mean[c]) * scale + (b ? b[c] : 0));
            }
        }
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "mean"},
    {.name = "invstd"},
    {.name = "weight", .role = ROLE_PARAM, .when = "affine", .init = "ones"},
    {.name = "bias", .role = ROLE_PARAM, .when = "affine", .init = "zeros"},
    {0}};

static const struct op_attr attr[] = {
    {"affine", 'b', "yes", "learn a scale and a shift per channel"}, {0}};

const struct op op_bnapply = {
    .name = "bnapply",
    .brief = "normalise by given statistics",
    .in = in,
    .n_out = 1,
    .flags = OP_INTERNAL,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
};
