/* adamw.c -- a step of Adam with decoupled weight decay.
 * SPDX-License-Identifier: MIT
 *
 *     t <- t + 1,  g = grad / scale
 *     param <- param (1 - lr decay)
 *     m <- beta1 m + (1 - beta1) g
 *     v <- beta2 v + (1 - beta2) g^2
 *     param <- param - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
 *
 *   param, grad, m, v: one shape; lr, t, scale (optional) [1]; m, v, t begin as
 * zeros.
 * Loshchilov, Hutter, "Decoupled weight decay regularization", 2019, algorithm
 * 2, with decay scaled by lr as in torch.  */
#include <math.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/step.h"

enum { PARAM, GRAD, LR, M, V, T, SCALE };

static int infer(struct node *n, struct err *e)
{
    if (rule_real(n, "beta1", 0, 1, e) < 0 ||
        rule_real(n, "beta2", 0, 1, e) < 0 ||
        rule_real(n, "eps", 0, 1, e) < 0 ||
        rule_real(n, "decay", 0, 1e6, e) < 0 ||
        rule_real(n, "lr_scale", 0, 1e6, e) < 0)
        return -1;
    return step_infer(n, 1 << LR | 1 << T | 1 << SCALE, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 12 * shape_count(&n->in[PARAM]->shape)};
}

static void update(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->in[PARAM]);
    const double beta1 = attr_real(a->node, "beta1");
    const double beta2 = attr_real(a->node, "beta2");
    const double eps = attr_real(a->node, "eps");
    const double lr =
        *(const real *)a->in[LR].data * attr_real(a->node, "lr_scale");
    const double keep = 1 - lr * attr_real(a->node, "decay");
    const double t = *(real *)a->in[T].data += 1;
    const double step = lr / (1 - pow(beta1, t));
    const real unit = 1 / step_scale(a, SCALE);
    const double root = sqrt(1 - pow(beta2, t));
    const real *grad = a->in[GRAD].data;
    real *param = a->in[PARAM].data, *m = a->in[M].data, *v = a->in[V].data;
    for (int64_t i = 0; i < count; i++) {
        const double g = grad[i] * unit;
        m[i] = (real)(beta1 * m[i] + (1 - beta1) * g);
        v[i] = (real)(beta2 * v[i] + (1 - beta2) * g * g);
        param[i] =
            (real)(param[i] * keep - step * m[i] / (sqrt(v[i]) / root + eps));
    }
}

static const struct op_in in[] = {
    {.name = "param", .role = ROLE_PARAM},
    {.name = "grad"},
    {.name = "lr"},
    {.name = "m", .role = ROLE_STATE, .init = "zeros"},
    {.name = "v", .role = ROLE_STATE, .init = "zeros"},
    {.name = "t", .role = ROLE_STATE, .init = "zeros"},
    {.name = "scale", .when = "scaled"},
    {0}};

static const struct op_attr attr[] = {
    {"beta1", 'f', "0.9", "share of the mean gradient that is kept"},
    {"beta2", 'f', "0.999", "share of the mean square that is kept"},
    {"eps", 'f', "1e-8", "added to the root of the mean square"},
    {"decay", 'f', "0.01", "weight decay, times the rate"},
    {"lr_scale", 'f', "1", "the parameter's own factor on the rate"},
    {"scaled", 'b', "no", "the gradient is of the loss times `scale'"},
    {0}};

const struct op op_adamw = {
    .name = "adamw",
    .brief = "step of Adam with decoupled weight decay",
    .in = in,
    .flags = OP_INTERNAL,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .update = update,
};
