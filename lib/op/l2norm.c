/* l2norm.c -- vectors of length 1 along an axis.
 * SPDX-License-Identifier: MIT
 *
 *     y = x / max(|x|, eps),  |x| = sqrt(sum of x^2 along AXIS)
 *
 *   x, y: any shape.  Backward keeps x: dx = (dy - y (sum of dy y)) / |x|,
 * dy / eps where |x| is smaller than eps.  ONNX LpNormalization, which knows no
 * eps.  */
#include <math.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"

static int infer(struct node *n, struct err *e)
{
    int axis;
    if (rule_real(n, "eps", 1e-30, 1, e) < 0 ||
        rule_sample_axis(n, "axis", &n->in[0]->shape, &axis, e) < 0)
        return -1;
    return rule_same(n, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 3 * shape_count(&n->out[0]->shape)};
}

static double length(const struct axis *s, const real *x)
{
    double sum = 0;
    for (int64_t i = 0; i < s->size; i++)
        sum += (double)x[i * s->inner] * x[i * s->inner];
    return sqrt(sum);
}

static void forward(const struct op_args *a)
{
    const struct axis s =
        axis_of(&a->in[0].shape, (int)attr_int(a->node, "axis"));
    const double eps = attr_real(a->node, "eps");
    for (int64_t r = 0; r < s.outer * s.inner; r++) {
        const real *x = (const real *)a->in[0].data + axis_row(&s, r);
        real *y = (real *)a->out[0].data + axis_row(&s, r);
        const double d = fmax(length(&s, x), eps);
        for (int64_t i = 0; i < s.size; i++)
            y[i * s.inner] = (real)(x[i * s.inner] / d);
    }
}

static void row_backward(const struct axis *s, double eps, const real *x,
                         const real *dy, real *dx)
{
    const double l = length(s, x), d = fmax(l, eps);
    double sum = 0;
    for (int64_t i = 0; l >= eps && i < s->size; i++)
        sum += (double)dy[i * s->inner] * x[i * s->inner];
    for (int64_t i = 0; i < s->size; i++)
        dx[i * s->inner] =
            (real)((dy[i * s->inner] - x[i * s->inner] * sum / (d * d)) / d);
}

static void backward(const struct op_args *a)
{
    const struct axis s =
        axis_of(&a->in[0].shape, (int)attr_int(a->node, "axis"));
    const double eps = attr_real(a->node, "eps");
    for (int64_t r = 0; r < s.outer * s.inner; r++) {
        const int64_t at = axis_row(&s, r);
        row_backward(&s, eps, (const real *)a->in[0].data + at,
                     (const real *)a->dout[0].data + at,
                     (real *)a->din[0].data + at);
    }
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"axis", 'i', "1", "the axis of the vectors"},
    {"eps", 'f', "1e-12", "the least length that is divided by"},
    {0}};

static const char *const onnx[] = {"axis", "axis", "=2", "p", NULL};

const struct op op_l2norm = {
    .name = "l2norm",
    .brief = "make vectors 1 long",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"LpNormalization", 1, onnx},
};
