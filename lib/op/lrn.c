/* lrn.c -- local response normalisation across channels.
 * SPDX-License-Identifier: MIT
 *
 *     y[c] = x[c] / s[c]^beta,
 *     s[c] = k + alpha / SIZE sum over |d - c| <= SIZE / 2 of x[d]^2
 *
 *   x, y [N,C,...]; SIZE is odd.  Backward keeps x:
 *     dx[c] = dy[c] / s[c]^beta - 2 alpha beta / SIZE x[c]
 *             sum over |d - c| <= SIZE / 2 of dy[d] x[d] / s[d]^(beta + 1).
 * Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep
 * convolutional neural networks", 2012, 3.3, with alpha divided by SIZE, as
 * PyTorch and ONNX have it.  ONNX LRN.  */
#include <math.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"

static int infer(struct node *n, struct err *e)
{
    if (rule_data(n, 0, 2, SHAPE_MAX, e) < 0 ||
        rule_int(n, "size", 1, 1 << 16, e) < 0 ||
        rule_real(n, "alpha", 0, 1e6, e) < 0 ||
        rule_real(n, "beta", 0, 1e6, e) < 0 ||
        rule_real(n, "k", 1e-6, 1e6, e) < 0)
        return -1;
    if (attr_int(n, "size") % 2 == 0)
        return err_set(e, ERR_USAGE, "attribute size = %lld is not odd",
                       (long long)attr_int(n, "size"));
    return rule_same(n, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = (2 * attr_int(n, "size") + 8) *
                                    shape_count(&n->out[0]->shape)};
}

/* Along the channels; SHARE: alpha / SIZE.  */
struct row {
    int64_t channels, step, reach;
    double k, share, beta;
};

static struct row row_of(const struct op_args *a, const struct axis *s)
{
    const int64_t size = attr_int(a->node, "size");
    return (struct row){s->size,
                        s->inner,
                        size / 2,
                        attr_real(a->node, "k"),
                        attr_real(a->node, "alpha") / (double)size,
                        attr_real(a->node, "beta")};
}

static void window(const struct row *r, int64_t c, int64_t *lo, int64_t *hi)
{
    *lo = c > r->reach ? c - r->reach : 0;
    *hi = c + r->reach < r->channels ? c + r->reach : r->channels - 1;
}

static double scale(const struct row *r, const real *x, int64_t c)
{
    int64_t lo, hi;
    double sum = 0;
    window(r, c, &lo, &hi);
    for (int64_t d = lo; d <= hi; d++)
        sum += (double)x[d * r->step] * x[d * r->step];
    return r->k + r->share * sum;
}

static void forward(const struct op_args *a)
{
    const struct axis s = axis_of(&a->in[0].shape, 1);
    const struct row r = row_of(a, &s);
    for (int64_t i = 0; i < s.outer * s.inner; i++) {
        const real *x = (const real *)a->in[0].data + axis_row(&s, i);
        real *y = (real *)a->out[0].data + axis_row(&s, i);
        for (int64_t c = 0; c < s.size; c++)
            y[c * s.inner] =
                (real)(x[c * s.inner] * pow(scale(&r, x, c), -r.beta));
    }
}

static double slope(const struct row *r, const real *x, const real *dy,
                    int64_t c)
{
    int64_t lo, hi;
    double sum = 0;
    window(r, c, &lo, &hi);
    for (int64_t d = lo; d <= hi; d++)
        sum += (double)dy[d * r->step] * x[d * r->step] *
               pow(scale(r, x, d), -r->beta - 1);
    return dy[c * r->step] * pow(scale(r, x, c), -r->beta) -
           2 * r->share * r->beta * x[c * r->step] * sum;
}

static void backward(const struct op_args *a)
{
    const struct axis s = axis_of(&a->in[0].shape, 1);
    const struct row r = row_of(a, &s);
    for (int64_t i = 0; i < s.outer * s.inner; i++) {
        const int64_t at = axis_row(&s, i);
        const real *x = (const real *)a->in[0].data + at;
        const real *dy = (const real *)a->dout[0].data + at;
        for (int64_t c = 0; c < s.size; c++)
            ((real *)a->din[0].data)[at + c * s.inner] =
                (real)slope(&r, x, dy, c);
    }
}

static const struct op_in in[] = {{.name = "x"}, {0}};

static const struct op_attr attr[] = {
    {"size", 'i', "5", "channels that count, around each; odd"},
    {"alpha", 'f', "1e-4", "weight of the mean of their squares"},
    {"beta", 'f', "0.75", "the power"},
    {"k", 'f', "1", "added in front of it"},
    {0}};

static const char *const onnx[] = {"size", "size", "alpha", "alpha", "beta",
                                   "beta", "k",    "bias",  NULL};

const struct op op_lrn = {
    .name = "lrn",
    .brief = "divide channels by the size of their neighbours",
    .in = in,
    .n_out = 1,
    .keep_in = 1,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"LRN", 1, onnx},
};
