/* scale.c -- y = gamma x, one learned gamma per channel.
 * SPDX-License-Identifier: MIT
 *
 *   x, y: any shape  gamma [C], C the size of x along AXIS.  Backward keeps
 * both: dx = gamma dy, dgamma = sum dy x.  Touvron et al., "Going deeper with
 * image transformers", 2021 (layer scale).  */
#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, GAMMA };

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    int axis;
    if (rule_sample_axis(n, "axis", x, &axis, e) < 0)
        return -1;
    if (rule_weight(n, GAMMA, 1, &x->dim[axis], e) < 0)
        return -1;
    return rule_same(n, e);
}

static struct axis channels(const struct op_args *a)
{
    return axis_of(&a->in[X].shape, (int)attr_int(a->node, "axis"));
}

static void scale(const struct axis *s, const real *gamma, const real *x,
                  real *y)
{
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t c = 0; c < s->size; c++)
            for (int64_t i = 0; i < s->inner; i++)
                *y++ = *x++ * gamma[c];
}

static void forward(const struct op_args *a)
{
    const struct axis s = channels(a);
    scale(&s, a->in[GAMMA].data, a->in[X].data, a->out[0].data);
}

static void backward_gamma(const struct axis *s, const real *x, const real *dy,
                           real *dgamma)
{
    for (int64_t c = 0; c < s->size; c++) {
        double sum = 0;
        for (int64_t o = 0; o < s->outer; o++)
            for (int64_t i = 0; i < s->inner; i++) {
                const int64_t at = (o * s->size + c) * s->inner + i;
                sum += (double)dy[at] * x[at];
            }
        dgamma[c] = (real)sum;
    }
}

static void backward(const struct op_args *a)
{
    const struct axis s = channels(a);
    if (a->din[X].data)
        scale(&s, a->in[GAMMA].data, a->dout[0].data, a->din[X].data);
    if (a->din[GAMMA].data)
        backward_gamma(&s, a->in[X].data, a->dout[0].data, a->din[GAMMA].data);
}

static const struct op_in in[] = {
    {.name = "x"}, {.name = "gamma", .role = ROLE_PARAM, .init = "ones"}, {0}};

static const struct op_attr attr[] = {
    {"axis", 'i', "1", "the axis of the channels"}, {0}};

const struct op op_scale = {
    .name = "scale",
    .brief = "multiply each channel with a learned number",
    .in = in,
    .n_out = 1,
    .keep_in = 1 << X | 1 << GAMMA,
    .attr = attr,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};
