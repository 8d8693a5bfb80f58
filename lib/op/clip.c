/* clip.c -- y = min(max(x, min), max).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: dx = dy where min <= x <= max, else 0.
 * Errors: min > max.  ONNX Clip.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/pointwise.h"
#include "op/rule.h"

static int infer(struct node *n, struct err *e)
{
    if (rule_range(n, "min", "max", e) < 0)
        return -1;
    return rule_same(n, e);
}

static double value(double x, const double *p)
{
    return x < p[0] ? p[0] : x > p[1] ? p[1] : x;
}

/* A limit that x has been rounded to is one.  */
static double slope(double x, const double *p)
{
    return x >= (real)p[0] && x <= (real)p[1];
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
    {"min", 'f', "-3e38", "the smallest result"},
    {"max", 'f', "3e38", "the largest result"},
    {0}};

static const char *const onnx[] = {"min", "@1", "max", "@2", NULL};

const struct op op_clip = {
    .name = "clip",
    .brief = "limit numbers to a range",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .attr = attr,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .onnx = {"Clip", 11, onnx},
};
