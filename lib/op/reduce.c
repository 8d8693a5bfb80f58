/* reduce.c -- the mean, the sum or the largest of numbers along axes.
 * SPDX-License-Identifier: MIT
 *
 *   x: any shape; AXES lie side by side and do not count the batch
 *   y: as x with size 1 along AXES, without them if KEEP is no
 * Backward keeps, for max alone, x and y: dx = dy for the largest number,
 * which equal ones share; else dy, divided by their count for the mean.
 * ONNX ReduceMean, ReduceSum, ReduceMax.  */
#include <math.h>

#include "base/err.h"
#include "base/real.h"
#include "base/str.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"

enum { MEAN, SUM, MAX };

static const char *const kinds[] = {"mean", "sum", "max", NULL};

/* Make the axes positive and rising; their first and their count.  */
static int check_axes(struct node *n, const struct shape *x, int *first,
                      int *count, struct err *e)
{
    const int64_t *axes = attr_ints(n, "axes", count);
    int64_t own[SHAPE_MAX];
    if (*count < 1 || *count > x->rank)
        return err_set(e, ERR_USAGE,
                       "attribute axes has %d numbers; input %s "
                       "has %d sizes",
                       *count, ST(x), x->rank);
    for (int i = 0; i < *count; i++) {
        own[i] = axes[i] < 0 ? axes[i] + x->rank : axes[i];
        if (own[i] < 0 || own[i] >= x->rank || (i && own[i] != own[i - 1] + 1))
            return err_set(e, ERR_USAGE,
                           "attribute axes: %lld is no axis of an array with "
                           "%d sizes that follows the one before",
                           (long long)axes[i], x->rank);
        if (rule_batch(x, (int)own[i]))
            return err_set(e, ERR_SHAPE,
                           "axis %lld of input %s counts the "
                           "batch",
                           (long long)own[i], ST(x));
    }
    *first = (int)own[0];
    attr_set_ints(n, "axes", own, *count);
    return 0;
}

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[0]->shape;
    struct shape y = *x;
    int first = 0, count = 0;
    if (rule_float(n, 0, e) < 0 || rule_choice(n, "kind", kinds, e) < 0 ||
        check_axes(n, x, &first, &count, e) < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        if (attr_int(n, "keep"))
            y.dim[first + i] = 1;
        else
            y = axis_without(&y, first);
    }
    return rule_out(n, 0, DTYPE_F32, &y, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = shape_count(&n->in[0]->shape)};
}

static struct axis axes_of(const struct op_args *a)
{
    int count;
    const int64_t *axes = attr_ints(a->node, "axes", &count);
    struct axis s = axis_of(&a->in[0].shape, (int)axes[0]);
    for (int i = 1; i < count; i++) {
        s.size *= a->in[0].shape.dim[axes[i]];
        s.inner /= a->in[0].shape.dim[axes[i]];
    }
    return s;
}

static int kind_of(const struct op_args *a)
{
    return str_index(attr_str(a->node, "kind"), kinds);
}

/* A NaN is the largest.  */
static double largest(const struct axis *s, const real *x)
{
    double max = x[0];
    for (int64_t i = 1; i < s->size; i++)
        if (x[i * s->inner] > max || isnan(x[i * s->inner]))
            max = x[i * s->inner];
    return max;
}

static double sum(const struct axis *s, const real *x)
{
    double all = 0;
    for (int64_t i = 0; i < s->size; i++)
        all += x[i * s->inner];
    return all;
}

static void forward(const struct op_args *a)
{
    const struct axis s = axes_of(a);
    const int kind = kind_of(a);
    real *y = a->out[0].data;
    for (int64_t r = 0; r < s.outer * s.inner; r++) {
        const real *x = (const real *)a->in[0].data + axis_row(&s, r);
        y[r] = (real)(kind == MAX
                          ? largest(&s, x)
                          : sum(&s, x) / (kind == MEAN ? (double)s.size : 1));
    }
}

/* The largest numbers of one row share DY.  */
static void row_max(const struct axis *s, const real *x, real max, double dy,
                    real *dx)
{
    int64_t equal = 0;
    for (int64_t i = 0; i < s->size; i++)
        equal += x[i * s->inner] == max;
    for (int64_t i = 0; i < s->size; i++)
        dx[i * s->inner] =
            (real)(x[i * s->inner] == max ? dy / (double)equal : 0);
}

static void backward(const struct op_args *a)
{
    const struct axis s = axes_of(a);
    const int kind = kind_of(a);
    const real *dy = a->dout[0].data;
    for (int64_t r = 0; r < s.outer * s.inner; r++) {
        const int64_t at = axis_row(&s, r);
        real *dx = (real *)a->din[0].data + at;
        if (kind == MAX)
            row_max(&s, (const real *)a->in[0].data + at,
                    ((const real *)a->out[0].data)[r], dy[r], dx);
        for (int64_t i = 0; kind != MAX && i < s.size; i++)
            dx[i * s.inner] =
                (real)(dy[r] / (kind == MEAN ? (double)s.size : 1));
    }
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"axes", 'v', NULL, "side by side: [2, 3]"},
    {"kind", 's', "mean", "or sum, max"},
    {"keep", 'b', "yes", "keep the axes, with size 1"},
    {0}};

const struct op op_reduce = {
    .name = "reduce",
    .brief = "the mean, sum or largest along axes",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .keep_out = 1,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
