/* ema.c -- a step of an exponential moving average.
 * SPDX-License-Identifier: MIT
 *
 *     average <- average + share (x - average)
 *
 *   average, x: one shape; share [1], one less the decay: of a decay near 1 it
 * has digits that the decay itself, as a float, has not.  Polyak, Juditsky,
 * "Acceleration of stochastic approximation by averaging", 1992; of weights, to
 * evaluate with, Szegedy et al., "Rethinking the Inception architecture", 2016,
 * section 8.  */
#include "base/real.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"
#include "op/step.h"

enum { AVERAGE, X, SHARE };

static int infer(struct node *n, struct err *e)
{
    return step_infer(n, 1 << SHARE, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 3 * shape_count(&n->in[X]->shape)};
}

static void update(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->in[AVERAGE]);
    const real share = *(const real *)a->in[SHARE].data;
    const real *x = a->in[X].data;
    real *average = a->in[AVERAGE].data;
    for (int64_t i = 0; i < count; i++)
        average[i] += share * (x[i] - average[i]);
}

static const struct op_in in[] = {
    {.name = "average", .role = ROLE_STATE, .init = "zeros"},
    {.name = "x"},
    {.name = "share"},
    {0}};

const struct op op_ema = {
    .name = "ema",
    .brief = "step of an exponential moving average",
    .in = in,
    .flags = OP_INTERNAL,
    .infer = infer,
    .cost = cost,
    .update = update,
};
