/* sgd.c -- a step of gradient descent with momentum.
 * SPDX-License-Identifier: MIT
 *
 *     g = grad / scale + decay param
 *     buf <- momentum buf + g
 *     param <- param - lr lr_scale (nesterov ? g + momentum buf : buf)
 *
 *   param, grad, buf: one shape; lr, scale (optional) [1].  BUF begins as
 * zeros, so the first step is a plain one, as in torch (no dampening).
 * Sutskever et al., "On the importance of initialization and momentum",
 * 2013.  */
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/step.h"

enum { PARAM, GRAD, LR, BUF, SCALE };

static int infer(struct node *n, struct err *e)
{
    if (rule_real(n, "momentum", 0, 1, e) < 0 ||
        rule_real(n, "decay", 0, 1e6, e) < 0 ||
        rule_real(n, "lr_scale", 0, 1e6, e) < 0)
        return -1;
    return step_infer(n, 1 << LR | 1 << SCALE, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 6 * shape_count(&n->in[PARAM]->shape)};
}

static void update(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->in[PARAM]);
    const real decay = (real)attr_real(a->node, "decay");
    const real momentum = (real)attr_real(a->node, "momentum");
    const real lr =
        *(const real *)a->in[LR].data * (real)attr_real(a->node, "lr_scale");
    const real unit = 1 / step_scale(a, SCALE);
    const int nesterov = (int)attr_int(a->node, "nesterov");
    const real *grad = a->in[GRAD].data;
    real *param = a->in[PARAM].data, *buf = a->in[BUF].data;
    for (int64_t i = 0; i < count; i++) {
        const real g = grad[i] * unit + decay * param[i];
        buf[i] = momentum * buf[i] + g;
        param[i] -= lr * (nesterov ? g + momentum * buf[i] : buf[i]);
    }
}

static const struct op_in in[] = {
    {.name = "param", .role = ROLE_PARAM},
    {.name = "grad"},
    {.name = "lr"},
    {.name = "momentum", .role = ROLE_STATE, .init = "zeros"},
    {.name = "scale", .when = "scaled"},
    {0}};

static const struct op_attr attr[] = {
    {"momentum", 'f', "0.9", "share of the last step that is kept"},
    {"nesterov", 'b', "no", "look ahead by one step of momentum"},
    {"decay", 'f', "0", "weight decay, added to the gradient"},
    {"lr_scale", 'f', "1", "the parameter's own factor on the rate"},
    {"scaled", 'b', "no", "the gradient is of the loss times `scale'"},
    {0}};

const struct op op_sgd = {
    .name = "sgd",
    .brief = "step of gradient descent with momentum",
    .in = in,
    .flags = OP_INTERNAL,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .update = update,
};
