/* droppath.c -- while training, set a share RATE of the samples to zero.
 * SPDX-License-Identifier: MIT
 *
 *     y[n] = u(n) < rate ? 0 : x[n] / (1 - rate)
 *
 * with u(n) number n of the node's stream; y = x when not training.
 *   x, y [N,...].  Backward keeps nothing: it draws the same u(n).  Huang et
 * al., "Deep networks with stochastic depth", 2016.  ONNX Identity
 * (evaluating).  */
#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

static int infer(struct node *n, struct err *e)
{
    if (rule_data(n, 0, 1, SHAPE_MAX, e) < 0 ||
        rule_real(n, "rate", 0, 1, e) < 0)
        return -1;
    return rule_same(n, e);
}

/* Y = X with the mask on; its own derivative.  */
static void mask(const struct op_args *a, const struct tensor *x, real *y)
{
    const double rate = attr_real(a->node, "rate");
    const double scale = rate < 1 ? 1 / (1 - rate) : 0;
    const struct axis s = axis_of(&x->shape, 0);
    const real *from = x->data;
    for (int64_t n = 0; n < s.size; n++) {
        const int drop = rng_uniform(&a->rng, (uint64_t)n) < rate;
        for (int64_t i = n * s.inner; i < (n + 1) * s.inner; i++)
            y[i] = drop ? 0 : (real)(from[i] * scale);
    }
}

static void forward(const struct op_args *a)
{
    if (a->node->train)
        mask(a, &a->in[0], a->out[0].data);
    else
        view_forward(a);
}

static void backward(const struct op_args *a)
{
    if (a->node->train)
        mask(a, &a->dout[0], a->din[0].data);
    else
        view_backward(a);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"rate", 'f', "0.1", "share of the samples that is dropped"}, {0}};

const struct op op_droppath = {
    .name = "droppath",
    .alias = "drop_path",
    .brief = "while training, set random samples to zero",
    .in = in,
    .n_out = 1,
    .flags = OP_RANDOM | OP_TRAIN,
    .attr = attr,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .onnx = {"Identity", 1, NULL},
};
