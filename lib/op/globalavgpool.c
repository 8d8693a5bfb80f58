/* globalavgpool.c -- the mean of each channel.
 * SPDX-License-Identifier: MIT
 *
 *     y[n,c] = 1 / (H W) sum over h, w of x[n,c,h,w]
 *
 *   x [N,C,H,W]  y [N,C].  Lin, Chen, Yan, "Network in network", 2013, 3.2.
 */
#include "base/real.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

static int infer(struct node *n, struct err *e)
{
    struct shape y = n->in[0]->shape;
    if (rule_data(n, 0, 4, 4, e) < 0)
        return -1;
    y.rank = 2;
    y.dim[2] = y.dim[3] = 0;
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = shape_count(&n->in[0]->shape)};
}

static void forward(const struct op_args *a)
{
    const int64_t planes = tensor_count(&a->out[0]);
    const int64_t area = a->in[0].shape.dim[2] * a->in[0].shape.dim[3];
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    for (int64_t i = 0; i < planes; i++) {
        double sum = 0;
        for (int64_t j = 0; j < area; j++)
            sum += x[i * area + j];
        y[i] = (real)(sum / (double)area);
    }
}

static void backward(const struct op_args *a)
{
    const int64_t planes = tensor_count(&a->dout[0]);
    const int64_t area = a->in[0].shape.dim[2] * a->in[0].shape.dim[3];
    const real *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    for (int64_t i = 0; i < planes; i++)
        for (int64_t j = 0; j < area; j++)
            dx[i * area + j] = (real)(dy[i] / (double)area);
}

static const struct op_in in[] = {{.name = "x"}, {0}};

const struct op op_globalavgpool = {
    .name = "globalavgpool",
    .alias = "global_avg_pool",
    .brief = "average each channel over its picture",
    .in = in,
    .n_out = 1,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
