/* groupnorm.c -- normalisation of groups of channels of each sample.
 * SPDX-License-Identifier: MIT
 *
 *   x, y [N,C,...]  weight, bias [C]: see samplenorm.h.  Wu, He, "Group
 * normalization", ECCV 2018, equations 1 to 7.  ONNX InstanceNormalization
 * between reshapes.  */
#include "base/err.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/samplenorm.h"

static int infer(struct node *n, struct err *e)
{
    if (rule_int(n, "groups", 1, INT32_MAX, e) < 0)
        return -1;
    return samplenorm_infer(n, attr_int(n, "groups"), e);
}

static void forward(const struct op_args *a)
{
    samplenorm_forward(a, attr_int(a->node, "groups"));
}

static void backward(const struct op_args *a)
{
    samplenorm_backward(a, attr_int(a->node, "groups"));
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "weight", .role = ROLE_PARAM, .when = "affine", .init = "ones"},
    {.name = "bias", .role = ROLE_PARAM, .when = "affine", .init = "zeros"},
    {0}};

static const struct op_attr attr[] = {
    {"groups", 'i', "32", "the channels are cut into so many"},
    {"eps", 'f', "1e-5", "added to the variance"},
    {"affine", 'b', "yes", "learn a scale and a shift per channel"},
    {0}};

const struct op op_groupnorm = {
    .name = "groupnorm",
    .brief = "normalise groups of channels of each sample",
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
