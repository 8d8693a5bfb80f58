/* bngrad.c -- the gradient of what batch normalisation reads.
 * SPDX-License-Identifier: MIT
 *
 * With m elements a channel and h = (x - mean) invstd:
 *
 *     dx = weight invstd (dy - dbias / m - h dweight / m)
 *
 *   x, dy [N,C,...]  mean, invstd, weight, dbias, dweight [C], the weight may
 * be absent  dx as x.  What follows bnsums.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, MEAN, INVSTD, WEIGHT, DBIAS, DWEIGHT, DY };

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    if (rule_data(n, X, 2, SHAPE_MAX, e) < 0)
        return -1;
    for (int i = MEAN; i <= DWEIGHT; i++)
        if (rule_weight(n, i, 1, &x->dim[1], e) < 0)
            return -1;
    if (!shape_equal(&n->in[DY]->shape, x))
        return err_set(e, ERR_SHAPE, "dy %s does not fit input %s",
                       ST(&n->in[DY]->shape), ST(x));
    return rule_out(n, 0, DTYPE_F32, x, e);
}

static struct op_cost cost(const struct node *n)
{
    const int64_t count = shape_count(&n->in[X]->shape);
    return (struct op_cost){.flop = 4 * count, .mac = 2 * count};
}

static void forward(const struct op_args *a)
{
    const struct axis s = axis_of(&a->in[X].shape, 1);
    const double m = (double)(s.outer * s.inner);
    const real *x = a->in[X].data, *dy = a->in[DY].data;
    const real *mean = a->in[MEAN].data, *invstd = a->in[INVSTD].data;
    const real *w = a->in[WEIGHT].data, *db = a->in[DBIAS].data;
    const real *dw = a->in[DWEIGHT].data;
    real *dx = a->out[0].data;
    for (int64_t o = 0; o < s.outer; o++)
        for (int64_t c = 0; c < s.size; c++)
            for (int64_t i = 0; i < s.inner; i++) {
                const int64_t at = (o * s.size + c) * s.inner + i;
                const double h = (x[at] - (double)mean[c]) * invstd[c];
                dx[at] = (real)((w ? w[c] : 1) * (double)invstd[c] *
                                (dy[at] - db[c] / m - h * dw[c] / m));
            }
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "mean"},
    {.name = "invstd"},
    {.name = "weight", .role = ROLE_PARAM, .when = "affine", .init = "ones"},
    {.name = "dbias"},
    {.name = "dweight"},
    {.name = "dy"},
    {0}};

static const struct op_attr attr[] = {
    {"affine", 'b', "yes", "learn a scale per channel"}, {0}};

const struct op op_bngrad = {
    .name = "bngrad",
    .brief = "gradient of what normalised channels read",
    .in = in,
    .n_out = 1,
    .flags = OP_INTERNAL,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
};
