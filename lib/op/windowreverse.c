/* windowreverse.c -- windows put together to a picture of tokens.
 * SPDX-License-Identifier: MIT
 *
 *   x [N WINDOWS,SIZE SIZE,C]  y [N,H W,C]; grid [H,W] and the rest as in
 * partition.h: what windowpartition did with the same attributes is undone.
 * Liu et al., "Swin transformer", ICCV 2021, 3.2.  */
#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/partition.h"
#include "op/rule.h"
#include "op/view.h"

static int infer(struct node *n, struct err *e)
{
    struct shape y = n->in[0]->shape;
    if (rule_data(n, 0, 3, 3, e) < 0 || partition_check(n, e) < 0)
        return -1;
    const struct partition p = partition_of(n);
    if (y.dim[0] % p.count || y.dim[1] != p.tokens)
        return err_set(e, ERR_SHAPE,
                       "input %s is no multiple of %lld windows of %lld tokens",
                       ST(&n->in[0]->shape), (long long)p.count,
                       (long long)p.tokens);
    y.dim[0] /= p.count;
    y.dim[1] = p.grid[0] * p.grid[1];
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

static void forward(const struct op_args *a)
{
    const struct partition p = partition_of(a->node);
    const struct shape *y = &a->out[0].shape;
    partition_put(&p, y->dim[0], y->dim[2], a->in[0].data, a->out[0].data);
}

static void backward(const struct op_args *a)
{
    const struct partition p = partition_of(a->node);
    const struct shape *y = &a->dout[0].shape;
    partition_cut(&p, y->dim[0], y->dim[2], a->dout[0].data, a->din[0].data);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"grid", 'v', NULL, "height and width of the picture"},
    {"size", 'i', NULL, "height and width of a window"},
    {"shift", 'i', "0", "how far the picture is moved down and right after"},
    {0}};

const struct op op_windowreverse = {
    .name = "windowreverse",
    .alias = "window_reverse",
    .brief = "put windows together to a picture of tokens",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = view_cost,
    .forward = forward,
    .backward = backward,
};
