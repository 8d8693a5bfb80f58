/* gelu.c -- y = x Phi(x), Phi the normal distribution.
 * SPDX-License-Identifier: MIT
 *
 *     none:  y = x / 2 (1 + erf(x / sqrt 2))
 *     tanh:  y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
 *
 *   x, y: any shape.  Backward keeps x.  Hendrycks, Gimpel, "Gaussian error
 * linear units", 2016.  ONNX Gelu.  */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

static const char *const forms[] = {"none", "tanh", NULL};

static int infer(struct node *n, struct err *e)
{
    if (rule_choice(n, "approximate", forms, e) < 0)
        return -1;
    return rule_same(n, e);
}

static struct op_cost cost(const struct node *n)
{
    return pointwise_cost(n, 8);
}

static double phi(double x)
{
    return erfc(-x * M_SQRT1_2) / 2;
}

static double exact(double x, const double *p)
{
    (void)p;
    return x * phi(x);
}

/* Phi(x) + x phi(x) */
static double exact_slope(double x, const double *p)
{
    (void)p;
    return phi(x) + x * exp(-x * x / 2) * M_SQRT1_2 * M_2_SQRTPI / 2;
}

static double bend(double x)
{
    return tanh(M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x));
}

static double approximate(double x, const double *p)
{
    (void)p;
    return x * (1 + bend(x)) / 2;
}

static double approximate_slope(double x, const double *p)
{
    (void)p;
    const double t = bend(x);
    const double inner = M_2_SQRTPI * M_SQRT1_2 * (1 + 3 * 0.044715 * x * x);
    return (1 + t) / 2 + x / 2 * (1 - t * t) * inner;
}

static int is_tanh(const struct op_args *a)
{
    return !strcmp(attr_str(a->node, "approximate"), "tanh");
}

static void forward(const struct op_args *a)
{
    pointwise_forward(a, is_tanh(a) ? approximate : exact);
}

static void backward(const struct op_args *a)
{
    pointwise_backward(a, is_tanh(a) ? approximate_slope : exact_slope);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"approximate", 's', "none", "none: by erf; tanh: by tanh"}, {0}};

static const char *const onnx[] = {"approximate", "approximate", NULL};

const struct op op_gelu = {
    .name = "gelu",
    .brief = "weigh numbers by their normal distribution",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Gelu", 20, onnx},
};
