/* ema.c -- the moving average of a parameter.
 * SPDX-License-Identifier: MIT
 *
 *     average <- decay average + (1 - decay) param
 *
 *   param, average: one shape; decay [1], an input so that it can grow while
 * training warms up.  Comes behind the optimiser's step.  Polyak, Juditsky,
 * "Acceleration of stochastic approximation by averaging", 1992.  */
#include "base/real.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/step.h"

enum { PARAM, DECAY, AVERAGE };

static int infer(struct node *n, struct err *e)
{
    return step_infer(n, 1 << DECAY, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 3 * shape_count(&n->in[PARAM]->shape)};
}

static void update(const struct op_args *a)
{
    const int64_t count = tensor_count(&a->in[PARAM]);
    const real decay = *(const real *)a->in[DECAY].data;
    const real *param = a->in[PARAM].data;
    real *average = a->in[AVERAGE].data;
    for (int64_t i = 0; i < count; i++)
        average[i] = decay * average[i] + (1 - decay) * param[i];
}

static const struct op_in in[] = {
    {.name = "param", .role = ROLE_PARAM},
    {.name = "decay"},
    {.name = "average", .role = ROLE_STATE, .init = "zeros"},
    {0}};

const struct op op_ema = {
    .name = "ema",
    .brief = "moving average of a parameter",
    .in = in,
    .flags = OP_INTERNAL,
    .infer = infer,
    .cost = cost,
    .update = update,
};
