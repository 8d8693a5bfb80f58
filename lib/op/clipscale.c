/* clipscale.c -- a gradient, made shorter if all together are too long.
 * SPDX-License-Identifier: MIT
 *
 *     y = x / scale min(1, max_norm / (norm / scale + 1e-6))
 *
 *   x, y: any shape  norm [1] of gradnorm  scale (optional) [1].  Pascanu,
 * Mikolov, Bengio, "On the difficulty of training recurrent neural
 * networks", 2013; the 1e-6 as in torch.  */
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/step.h"

enum { X, NORM, SCALE };

static int infer(struct node *n, struct err *e)
{
    const int64_t one = 1;
    if (rule_weight(n, NORM, 1, &one, e) < 0 ||
        rule_weight(n, SCALE, 1, &one, e) < 0 ||
        rule_real(n, "max_norm", 0, 1e30, e) < 0)
        return -1;
    return rule_same(n, e);
}

static void forward(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->in[X]);
    const double unit = 1 / step_scale(a, SCALE);
    const double norm = *(const real *)a->in[NORM].data * unit + 1e-6;
    const double max = attr_real(a->node, "max_norm");
    const real factor = (real)(unit * (max < norm ? max / norm : 1));
    const real *x = a->in[X].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i] * factor;
}

static const struct op_in in[] = {
    {.name = "x"}, {.name = "norm"}, {.name = "scale", .when = "scaled"}, {0}};

static const struct op_attr attr[] = {
    {"max_norm", 'f', NULL, "the length that all gradients may have"},
    {"scaled", 'b', "no", "x and norm are of the loss times `scale'"},
    {0}};

const struct op op_clipscale = {
    .name = "clipscale",
    .brief = "scale a gradient down by the norm of all",
    .in = in,
    .n_out = 1,
    .flags = OP_INTERNAL,
    .attr = attr,
    .infer = infer,
    .forward = forward,
};
