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
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
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
    return (struct op_cost){.flop = 8 * shape_count(&n->out[0]->shape)};
}

/* Phi(x) */
static double exact(double x)
{
    return erfc(-x * M_SQRT1_2) / 2;
}

/* Phi(x) + x phi(x) */
static double exact_slope(double x)
{
    return exact(x) + x * exp(-x * x / 2) * M_SQRT1_2 * M_2_SQRTPI / 2;
}

static double bend(double x)
{
    return tanh(M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x));
}

static double approximate(double x)
{
    return (1 + bend(x)) / 2;
}

static double approximate_slope(double x)
{
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
    double (*const phi)(double) = is_tanh(a) ? approximate : exact;
    const int64_t count = tensor_count(&a->in[0]);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < count; i++)
        y[i] = (real)(x[i] * phi(x[i]));
}

static void backward(const struct op_args *a)
{
    double (*const slope)(double) =
        is_tanh(a) ? approximate_slope : exact_slope;
    const int64_t count = tensor_count(&a->dout[0]);
    const real *x = a->in[0].data, *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t i = 0; i < count; i++)
        dx[i] = (real)(dy[i] * slope(x[i]));
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
