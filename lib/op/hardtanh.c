/* hardtanh.c -- y = min(max(x, min), max).
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape.  Backward keeps x: dx = dy where min < x < max, else 0
 * (clip hands dy on at the limits too).  Errors: min > max.  Collobert, "Large
 * scale machine learning", thesis, 2004.  ONNX Clip.  */
#include "base/err.h"
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

static struct op_cost cost(const struct node *n)
{
    return pointwise_cost(n, 2);
}

static double value(double x, const double *p)
{
    return x < p[0] ? p[0] : x > p[1] ? p[1] : x;
}

static double slope(double x, const double *p)
{
    return x > p[0] && x < p[1];
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

static const struct op_attr attr[] = {{"min", 'f', "-1", "the smallest result"},
                                      {"max", 'f', "1", "the largest result"},
                                      {0}};

static const char *const onnx[] = {"min", "@1", "max", "@2", NULL};

const struct op op_hardtanh = {
    .name = "hardtanh",
    .brief = "limit numbers to [-1, 1]",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .flags = OP_ELEMENTWISE,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"Clip", 11, onnx},
};
