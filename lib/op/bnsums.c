/* bnsums.c -- the sums over a channel that gradients of batch normalisation
 * need.
 * SPDX-License-Identifier: MIT
 *
 *     dbias = sum dy,  dweight = sum dy (x - mean) invstd
 *
 *   x, dy [N,C,...]  mean, invstd [C]  dbias, dweight [C].
 * Weight and bias [C] are for kernels that compute again what was normalised,
 * to have the slope of an activation with the sums; they may be absent.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/graph.h"
#include "op/channel.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, MEAN, INVSTD, DY, WEIGHT, BIAS };
enum { DBIAS, DWEIGHT };

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    if (rule_data(n, X, 2, SHAPE_MAX, e) < 0)
        return -1;
    for (int i = MEAN; i <= BIAS; i++)
        if (i != DY && rule_weight(n, i, 1, &x->dim[1], e) < 0)
            return -1;
    if (!shape_equal(&n->in[DY]->shape, x))
        return err_set(e, ERR_SHAPE, "dy %s does not fit input %s",
                       ST(&n->in[DY]->shape), ST(x));
    const struct shape c = shape_make(1, &x->dim[1]);
    if (rule_out(n, DBIAS, DTYPE_F32, &c, e) < 0)
        return -1;
    return rule_out(n, DWEIGHT, DTYPE_F32, &c, e);
}

static struct op_cost cost(const struct node *n)
{
    const int64_t count = shape_count(&n->in[X]->shape);
    return (struct op_cost){.flop = 4 * count, .mac = count};
}

static void forward(const struct op_args *a)
{
    const struct axis s = axis_of(&a->in[X].shape, 1);
    const real *mean = a->in[MEAN].data, *invstd = a->in[INVSTD].data;
    real *db = a->out[DBIAS].data, *dw = a->out[DWEIGHT].data;
    for (int64_t c = 0; c < s.size; c++) {
        double sum, product;
        channel_sums(&s, a->in[X].data, a->in[DY].data, c, mean[c], invstd[c],
                     &sum, &product);
        db[c] = (real)sum;
        dw[c] = (real)product;
    }
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "mean"},
    {.name = "invstd"},
    {.name = "dy"},
    {.name = "weight", .role = ROLE_PARAM, .when = "affine", .init = "ones"},
    {.name = "bias", .role = ROLE_PARAM, .when = "affine", .init = "zeros"},
    {0}};

static const struct op_attr attr[] = {
    {"affine", 'b', "yes", "a scale and a shift are learnt"}, {0}};

const struct op op_bnsums = {
    .name = "bnsums",
    .brief = "gradients of scale and shift of normalised channels",
    .in = in,
    .n_out = 2,
    .flags = OP_INTERNAL,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
};
