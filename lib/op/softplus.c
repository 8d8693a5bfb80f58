/* softplus.c -- y = log(1 + exp(beta x)) / beta.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Where beta x is more than the threshold, y is x itself.
 * Backward keeps x: dx = dy / (1 + exp(-beta x)), dy behind the threshold.
 * Errors: beta not positive.  Dugas et al., "Incorporating second-order
 * functional knowledge for better option pricing", 2000.  ONNX Softplus.  */
#include <math.h>

#include "base/err.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

static int infer(struct node *n, struct err *e)
{
    if (rule_real(n, "beta", 1e-6, 1e6, e) < 0)
        return -1;
    return rule_same(n, e);
}

static struct op_cost cost(const struct node *n)
{
    return pointwise_cost(n, 5);
}

static double value(double x, const double *p)
{
    const double t = p[0] * x;
    /* exp(t) may overflow, exp(-|t|) does not */
    return t > p[1] ? x : ((t > 0 ? t : 0) + log1p(exp(-fabs(t)))) / p[0];
}

static double slope(double x, const double *p)
{
    return p[0] * x > p[1] ? 1 : 1 / (1 + exp(-p[0] * x));
}

static void forward(const struct op_args *a)
{
    pointwise_forward(a, value);
}

static void backward(const struct op_args *a)
{
    pointwise_backward(a, slope);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"beta", 'f', "1", "sharpness of the bend"},
    {"threshold", 'f', "20", "beta x from which on y is x"},
    {0}};

const struct op op_softplus = {
    .name = "softplus",
    .brief = "a smooth relu",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Softplus", 1, NULL},
};
