/* prelu.c -- y = x where x > 0, else w x, with a learned w.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape  weight [C], C the size of x along AXIS; [1] without
 * PER_CHANNEL.  Backward keeps both: dx = dy where x > 0, else w dy;
 * dw = sum of dy x where x <= 0.  He et al., "Delving deep into rectifiers",
 * ICCV 2015, equations 1 and 9.  ONNX PRelu.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, WEIGHT };

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    int64_t count = 1;
    int axis;
    if (attr_int(n, "per_channel")) {
        if (rule_sample_axis(n, "axis", x, &axis, e) < 0)
            return -1;
        count = x->dim[axis];
    }
    if (rule_weight(n, WEIGHT, 1, &count, e) < 0)
        return -1;
    return rule_same(n, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 2 * shape_count(&n->out[0]->shape)};
}

/* One weight: one channel of everything.  */
static struct axis channels(const struct op_args *a, const struct shape *x)
{
    if (attr_int(a->node, "per_channel"))
        return axis_of(x, (int)attr_int(a->node, "axis"));
    return (struct axis){1, 1, shape_count(x)};
}

static void forward(const struct op_args *a)
{
    const struct axis s = channels(a, &a->in[X].shape);
    const real *x = a->in[X].data, *w = a->in[WEIGHT].data;
    real *y = a->out[0].data;
    for (int64_t o = 0; o < s.outer; o++)
        for (int64_t c = 0; c < s.size; c++)
            for (int64_t i = 0; i < s.inner; i++, x++)
                *y++ = *x > 0 ? *x : w[c] * *x;
}

static void backward_x(const struct axis *s, const real *x, const real *w,
                       const real *dy, real *dx)
{
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t c = 0; c < s->size; c++)
            for (int64_t i = 0; i < s->inner; i++, dy++)
                *dx++ = *x++ > 0 ? *dy : w[c] * *dy;
}

static void backward_w(const struct axis *s, const real *x, const real *dy,
                       real *dw)
{
    for (int64_t c = 0; c < s->size; c++) {
        double sum = 0;
        for (int64_t o = 0; o < s->outer; o++)
            for (int64_t i = 0; i < s->inner; i++) {
                const int64_t at = (o * s->size + c) * s->inner + i;
                sum += x[at] > 0 ? 0 : (double)dy[at] * x[at];
            }
        dw[c] = (real)sum;
    }
}

static void backward(const struct op_args *a)
{
    const struct axis s = channels(a, &a->in[X].shape);
    const real *x = a->in[X].data, *dy = a->dout[0].data;
    if (a->din[X].data)
        backward_x(&s, x, a->in[WEIGHT].data, dy, a->din[X].data);
    if (a->din[WEIGHT].data)
        backward_w(&s, x, dy, a->din[WEIGHT].data);
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "weight", .role = ROLE_PARAM, .init = "constant 0.25"},
    {0}};

static const struct op_attr attr[] = {
    {"per_channel", 'b', "no", "learn a slope for each channel"},
    {"axis", 'i', "1", "the axis of the channels"},
    {0}};

const struct op op_prelu = {
    .name = "prelu",
    .brief = "flatten negative numbers by a learned slope",
    .in = in,
    .n_out = 1,
    .keep_in = 1 << X | 1 << WEIGHT,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
