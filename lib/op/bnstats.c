/* bnstats.c -- mean and 1 / standard deviation of each channel.
 * SPDX-License-Identifier: MIT
 *
 *     invstd = 1 / sqrt(var + eps)
 *
 *   x [N,C,...]  pivot [C]: numbers near the means, which kernels that sum in
 * one sweep subtract first; the results do not depend on them but for
 * rounding  mean, invstd [C].  The first part of batchnorm2d while training:
 * pass_split_bn().  */
#include <math.h>

#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/channel.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, PIVOT };
enum { MEAN, INVSTD };

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    if (rule_data(n, X, 2, SHAPE_MAX, e) < 0 ||
        rule_real(n, "eps", 0, 1, e) < 0)
        return -1;
    const struct shape c = shape_make(1, &x->dim[1]);
    if (rule_weight(n, PIVOT, 1, c.dim, e) < 0 ||
        rule_out(n, MEAN, DTYPE_F32, &c, e) < 0)
        return -1;
    return rule_out(n, INVSTD, DTYPE_F32, &c, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 4 * shape_count(&n->in[X]->shape)};
}

static void forward(const struct op_args *a)
{
    const struct axis s = axis_of(&a->in[X].shape, 1);
    const double eps = attr_real(a->node, "eps");
    real *means = a->out[MEAN].data, *invstds = a->out[INVSTD].data;
    for (int64_t c = 0; c < s.size; c++) {
        double mean, var;
        channel_moments(&s, a->in[X].data, c, &mean, &var);
        means[c] = (real)mean;
        invstds[c] = (real)(1 / sqrt(var + eps));
    }
}

static const struct op_in in[] = {
    {.name = "x"}, {.name = "pivot", .role = ROLE_STATE, .init = "zeros"}, {0}};

static const struct op_attr attr[] = {
    {"eps", 'f', "1e-5", "added to the variance"}, {0}};

const struct op op_bnstats = {
    .name = "bnstats",
    .brief = "mean and 1 / standard deviation of each channel",
    .in = in,
    .n_out = 2,
    .flags = OP_INTERNAL,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
};
