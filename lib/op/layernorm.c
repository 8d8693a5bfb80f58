/* layernorm.c -- normalisation along one axis of each sample.
 * SPDX-License-Identifier: MIT
 *
 *     y = weight (x - mean) invstd + bias,  invstd = 1 / sqrt(var + eps)
 *
 * mean and var (biased) over AXIS, in two passes of double sums.
 *   x, y: any shape  weight, bias [C], C the size of x along AXIS
 *   extras: mean, invstd, as x without AXIS.
 * Backward keeps x, weight and the extras; with h = (x - mean) invstd and
 * g = weight dy, and means over AXIS:
 *     dx = invstd (g - mean(g) - h mean(g h)), dbias = sum dy,
 *     dweight = sum dy h.
 * Ba, Kiros, Hinton, "Layer normalization", 2016.  ONNX LayerNormalization
 * where AXIS is the last.  */
#include <math.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, WEIGHT, BIAS };
enum { Y, MEAN, INVSTD };

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    int axis;
    if (rule_float(n, X, e) < 0 || rule_real(n, "eps", 0, 1, e) < 0 ||
        rule_sample_axis(n, "axis", x, &axis, e) < 0)
        return -1;
    const struct shape rest = axis_without(x, axis);
    if (rule_weight(n, WEIGHT, 1, &x->dim[axis], e) < 0 ||
        rule_weight(n, BIAS, 1, &x->dim[axis], e) < 0 ||
        rule_out(n, Y, DTYPE_F32, x, e) < 0 ||
        rule_out(n, MEAN, DTYPE_F32, &rest, e) < 0)
        return -1;
    return rule_out(n, INVSTD, DTYPE_F32, &rest, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 8 * shape_count(&n->out[0]->shape)};
}

static struct axis normed(const struct op_args *a)
{
    return axis_of(&a->in[X].shape, (int)attr_int(a->node, "axis"));
}

/* Mean and biased variance of S->size numbers, S->inner apart.  */
static void moments(const struct axis *s, const real *x, double *mean,
                    double *var)
{
    const int64_t end = s->size * s->inner;
    double sum = 0, square = 0;
    for (int64_t i = 0; i < end; i += s->inner)
        sum += x[i];
    *mean = sum / (double)s->size;
    for (int64_t i = 0; i < end; i += s->inner)
        square += (x[i] - *mean) * (x[i] - *mean);
    *var = square / (double)s->size;
}

static void forward(const struct op_args *a)
{
    const struct axis s = normed(a);
    const double eps = attr_real(a->node, "eps");
    const real *w = a->in[WEIGHT].data, *b = a->in[BIAS].data;
    real *means = a->out[MEAN].data, *invstds = a->out[INVSTD].data;
    for (int64_t r = 0; r < s.outer * s.inner; r++) {
        const int64_t at = axis_row(&s, r);
        const real *x = (const real *)a->in[X].data + at;
        real *y = (real *)a->out[Y].data + at;
        double mean, var;
        moments(&s, x, &mean, &var);
        const double invstd = 1 / sqrt(var + eps);
        for (int64_t c = 0; c < s.size; c++)
            y[c * s.inner] =
                (real)((x[c * s.inner] - mean) * invstd * (w ? w[c] : 1) +
                       (b ? b[c] : 0));
        if (means)
            means[r] = (real)mean;
        if (invstds)
            invstds[r] = (real)invstd;
    }
}

/* One row of dx; W may be NULL.  */
static void row_backward(const struct axis *s, const real *x, const real *dy,
                         const real *w, double mean, double invstd, real *dx)
{
    double g_mean = 0, gh_mean = 0;
    for (int64_t c = 0; c < s->size; c++) {
        const double g = (double)dy[c * s->inner] * (w ? w[c] : 1);
        g_mean += g / (double)s->size;
        gh_mean += g * (x[c * s->inner] - mean) * invstd / (double)s->size;
    }
    for (int64_t c = 0; c < s->size; c++) {
        const double g = (double)dy[c * s->inner] * (w ? w[c] : 1);
        const double h = (x[c * s->inner] - mean) * invstd;
        dx[c * s->inner] = (real)(invstd * (g - g_mean - h * gh_mean));
    }
}

/* dweight and dbias of channel C.  */
static void sums(const struct op_args *a, const struct axis *s, int64_t c,
                 double *dw, double *db)
{
    const real *x = a->in[X].data, *dy = a->dout[0].data;
    const real *means = a->out[MEAN].data, *invstds = a->out[INVSTD].data;
    *dw = *db = 0;
    for (int64_t r = 0; r < s->outer * s->inner; r++) {
        const int64_t at =
            (r / s->inner * s->size + c) * s->inner + r % s->inner;
        *db += dy[at];
        *dw += (double)dy[at] * (x[at] - (double)means[r]) * invstds[r];
    }
}

static void backward(const struct op_args *a)
{
    const struct axis s = normed(a);
    const real *means = a->out[MEAN].data, *invstds = a->out[INVSTD].data;
    real *dx = a->din[X].data, *dw = a->din[WEIGHT].data;
    real *db = a->din[BIAS].data;
    for (int64_t r = 0; dx && r < s.outer * s.inner; r++) {
        const int64_t at = axis_row(&s, r);
        row_backward(&s, (const real *)a->in[X].data + at,
                     (const real *)a->dout[0].data + at, a->in[WEIGHT].data,
                     means[r], invstds[r], dx + at);
    }
    for (int64_t c = 0; (dw || db) && c < s.size; c++) {
        double w_sum, b_sum;
        sums(a, &s, c, &w_sum, &b_sum);
        if (dw)
            dw[c] = (real)w_sum;
        if (db)
            db[c] = (real)b_sum;
    }
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "weight", .role = ROLE_PARAM, .when = "affine", .init = "ones"},
    {.name = "bias", .role = ROLE_PARAM, .when = "affine", .init = "zeros"},
    {0}};

static const struct op_attr attr[] = {
    {"axis", 'i', "-1", "the axis that is normalised"},
    {"eps", 'f', "1e-5", "added to the variance"},
    {"affine", 'b', "yes", "learn a scale and a shift per channel"},
    {0}};

static const char *const onnx[] = {"axis", "axis", "eps", "epsilon", NULL};

const struct op op_layernorm = {
    .name = "layernorm",
    .alias = "ln",
    .brief = "normalise each sample along one axis",
    .in = in,
    .n_out = 1,
    .n_aux = 2,
    .keep_in = 1 << X | 1 << WEIGHT,
    .keep_out = 1 << MEAN | 1 << INVSTD,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .onnx = {"LayerNormalization", 17, onnx},
};
