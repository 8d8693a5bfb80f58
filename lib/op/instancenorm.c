/* instancenorm.c -- normalisation of each channel of each sample.
 * SPDX-License-Identifier: MIT
 *
 *   x, y [N,C,...]  weight, bias [C]: see samplenorm.h, with a group for each
 * channel.  Ulyanov, Vedaldi, Lempitsky, "Instance normalization", 2016,
 * equation 3.  ONNX InstanceNormalization.  */
#include "base/err.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/samplenorm.h"

static int infer(struct node *n, struct err *e)
{
    if (rule_data(n, SAMPLENORM_X, 3, SHAPE_MAX, e) < 0)
        return -1;
    return samplenorm_infer(n, n->in[SAMPLENORM_X]->shape.dim[1], e);
}

static void forward(const struct op_args *a)
{
    samplenorm_forward(a, a->in[0].shape.dim[1]);
}

static void backward(const struct op_args *a)
{
    samplenorm_backward(a, a->in[0].shape.dim[1]);
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "weight", .role = ROLE_PARAM, .when = "affine", .init = "ones"},
    {.name = "bias", .role = ROLE_PARAM, .when = "affine", .init = "zeros"},
    {0}};

static const struct op_attr attr[] = {
    {"eps", 'f', "1e-5", "added to the variance"},
    {"affine", 'b', "no", "learn a scale and a shift per channel"},
    {0}};

const struct op op_instancenorm = {
    .name = "instancenorm",
    .brief = "normalise each channel of each sample",
    .in = in,
    .n_out = 1,
    .n_aux = 2,
    .keep_in = SAMPLENORM_KEEP_IN,
    .keep_out = SAMPLENORM_KEEP_OUT,
    .attr = attr,
    .infer = infer,
    .cost = samplenorm_cost,
    .forward = forward,
    .backward = backward,
};
