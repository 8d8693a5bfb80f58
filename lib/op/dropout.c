/* dropout.c -- while training, set a share RATE of the numbers to zero.
 * SPDX-License-Identifier: MIT
 *
 *     y[i] = u(i) < rate ? 0 : x[i] / (1 - rate)
 *
 * with u(i) number i of the node's stream; y = x when not training.
 *   x, y: any shape.  Backward keeps nothing: it draws the same u(i).
 * Srivastava et al., "Dropout", 2014.  ONNX Identity (evaluating).  */
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/view.h"

static int infer(struct node *n, struct err *e)
{
    if (rule_real(n, "rate", 0, 1, e) < 0)
        return -1;
    return rule_same(n, e);
}

/* Y = X with the mask on; its own derivative.  */
static void mask(const struct op_args *a, const real *x, real *y, int64_t count)
{
    const double rate = attr_real(a->node, "rate");
    const double scale = rate < 1 ? 1 / (1 - rate) : 0;
    for (int64_t i = 0; i < count; i++)
        y[i] =
            rng_uniform(&a->rng, (uint64_t)i) < rate ? 0 : (real)(x[i] * scale);
}

static void forward(const struct op_args *a)
{
    if (a->node->train)
        mask(a, a->in[0].data, a->out[0].data, tensor_count(&a->in[0]));
    else
        view_forward(a);
}

static void backward(const struct op_args *a)
{
    if (a->node->train)
        mask(a, a->dout[0].data, a->din[0].data, tensor_count(&a->dout[0]));
    else
        view_backward(a);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"rate", 'f', "0.5", "share of the numbers that is dropped"}, {0}};

const struct op op_dropout = {
    .name = "dropout",
    .brief = "while training, set random numbers to zero",
    .in = in,
    .n_out = 1,
    .flags = OP_RANDOM | OP_TRAIN,
    .attr = attr,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .onnx = {"Identity", 1, NULL},
};
