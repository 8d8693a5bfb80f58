/* pointwise.c -- see pointwise.h.
 * SPDX-License-Identifier: MIT  */
#include "op/pointwise.h"

#include "base/err.h"
#include "base/real.h"
#include "graph/graph.h"

static void params(const struct node *n, double *p)
{
    const struct op_attr *d = n->op->attr;
    for (int i = 0, k = 0; d && d[i].name; i++)
        if (d[i].kind == 'f' && k == POINT_PARAMS)
            BUG("op '%s' has too many numbers", n->op->name);
        else if (d[i].kind == 'f')
            p[k++] = n->attr[i].f;
}

void pointwise_forward(const struct op_args *a, point_fn *value)
{
    const int64_t count = tensor_count(&a->in[0]);
    const real *x = a->in[0].data;
    real *y = a->out[0].data;
    double p[POINT_PARAMS];
    params(a->node, p);
    for (int64_t i = 0; i < count; i++)
        y[i] = (real)value(x[i], p);
}

void pointwise_backward(const struct op_args *a, point_fn *slope)
{
    const int64_t count = tensor_count(&a->dout[0]);
    const struct tensor *kept = a->node->op->keep_out ? a->out : a->in;
    const real *v = kept->data, *dy = a->dout[0].data;
    real *dx = a->din[0].data;
    double p[POINT_PARAMS];
    params(a->node, p);
    for (int64_t i = 0; i < count; i++) {
        const double s = slope(v[i], p);
        dx[i] = (real)(s != 0 ? dy[i] * s : 0);
    }
}

void pointwise_fill(const struct tensor *t, double v)
{
    real *p = t->data;

    for (int64_t i = 0; i < tensor_count(t); i++)
        p[i] = (real)v;
}

struct op_cost pointwise_cost(const struct node *n, int flop)
{
    return (struct op_cost){.flop = flop * shape_count(&n->out[0]->shape)};
}
