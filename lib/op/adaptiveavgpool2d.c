/* adaptiveavgpool2d.c -- the mean of each cell of a grid over the picture.
 * SPDX-License-Identifier: MIT
 *
 *   x [N,C,H,W]  y [N,C,P,Q]: cell p covers the rows from floor(p H / P) to
 * ceil((p + 1) H / P), and so for columns; cells may overlap (torch's rule).
 * Backward keeps nothing.  */
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

static int infer(struct node *n, struct err *e)
{
    struct shape y = n->in[0]->shape;
    if (rule_data(n, 0, 4, 4, e) < 0 ||
        attr_expand(n, "size", 2, 1, 1 << 20, e) < 0)
        return -1;
    y.dim[2] = attr_ints(n, "size", NULL)[0];
    y.dim[3] = attr_ints(n, "size", NULL)[1];
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = shape_count(&n->in[0]->shape) +
                                    shape_count(&n->out[0]->shape)};
}

/* Cell I of OUT over IN places.  */
struct cell {
    int64_t from, to;
};

static struct cell cell(int64_t i, int64_t out, int64_t in)
{
    return (struct cell){i * in / out, ((i + 1) * in + out - 1) / out};
}

static void forward(const struct op_args *a)
{
    const int64_t *x = a->in[0].shape.dim, *y = a->out[0].shape.dim;
    const real *from = a->in[0].data;
    real *to = a->out[0].data;
    for (int64_t i = 0; i < x[0] * x[1]; i++, from += x[2] * x[3])
        for (int64_t p = 0; p < y[2]; p++)
            for (int64_t q = 0; q < y[3]; q++) {
                const struct cell r = cell(p, y[2], x[2]);
                const struct cell c = cell(q, y[3], x[3]);
                double sum = 0;
                for (int64_t h = r.from; h < r.to; h++)
                    for (int64_t w = c.from; w < c.to; w++)
                        sum += from[h * x[3] + w];
                *to++ =
                    (real)(sum / (double)((r.to - r.from) * (c.to - c.from)));
            }
}

static void backward(const struct op_args *a)
{
    const int64_t *x = a->din[0].shape.dim, *y = a->dout[0].shape.dim;
    const real *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    memset(dx, 0, (size_t)tensor_count(&a->din[0]) * sizeof *dx);
    for (int64_t i = 0; i < x[0] * x[1]; i++, dx += x[2] * x[3])
        for (int64_t p = 0; p < y[2]; p++)
            for (int64_t q = 0; q < y[3]; q++) {
                const struct cell r = cell(p, y[2], x[2]);
                const struct cell c = cell(q, y[3], x[3]);
                const double n = (double)((r.to - r.from) * (c.to - c.from));
                const real d = (real)(*dy++ / n);
                for (int64_t h = r.from; h < r.to; h++)
                    for (int64_t w = c.from; w < c.to; w++)
                        dx[h * x[3] + w] += d;
            }
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"size", 'v', NULL, "height and width of the result"}, {0}};

const struct op op_adaptiveavgpool2d = {
    .name = "adaptiveavgpool2d",
    .alias = "adaptive_avg_pool",
    .brief = "average over the cells of a grid",
    .in = in,
    .n_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
