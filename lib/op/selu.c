/* selu.c -- y = lambda x where x > 0, else lambda alpha (exp(x) - 1).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape; lambda and alpha such that a mean of 0 and a variance of 1
 * stay through layers.  Backward keeps x.  Klambauer et al., "Self-normalizing
 * neural networks", 2017, equation 2 and the constants of its appendix.  ONNX
 * Selu.  */
#include <math.h>

#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

#define LAMBDA 1.0507009873554804934193349852946
#define ALPHA  1.6732632423543772848170429916717

static struct op_cost cost(const struct node *n)
{
    return pointwise_cost(n, 5);
}

static double value(double x, const double *p)
{
    (void)p;
    return LAMBDA * (x > 0 ? x : ALPHA * expm1(x));
}

static double slope(double x, const double *p)
{
    (void)p;
    return LAMBDA * (x > 0 ? 1 : ALPHA * exp(x));
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

const struct op op_selu = {
    .name = "selu",
    .brief = "the elu that keeps mean and variance",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .infer = rule_same,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Selu", 6, NULL},
};
