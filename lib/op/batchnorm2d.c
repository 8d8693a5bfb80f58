/* batchnorm2d.c -- batch normalisation over all axes but the channels.
 * SPDX-License-Identifier: MIT
 *
 *     y = weight (x - mean) invstd + bias,  invstd = 1 / sqrt(var + eps)
 *
 * While training, mean and var (biased) are those of the batch, in two passes
 * of double sums; else they are running_mean and running_var.
 *   x [N,C,...]  weight, bias, running_mean, running_var [C]  y as x
 *   extras: mean [C], invstd [C], as used.
 * Backward keeps x, weight and the extras.  With m elements per channel and
 * h = (x - mean) invstd, training:
 *     dbias = sum dy, dweight = sum dy h
 *     dx = weight invstd (dy - dbias / m - h dweight / m)
 * else dx = weight invstd dy.  The update moves the running statistics:
 *     r <- (1 - momentum) r + momentum s
 * with s the mean, or the unbiased variance m / (m - 1) var (var if m is 1).
 * Ioffe, Szegedy, "Batch Normalization", 2015, algorithms 1 and 2; the
 * momentum as in torch.  ONNX BatchNormalization (evaluating).  */
#include <math.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/channel.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, WEIGHT, BIAS, RUNNING_MEAN, RUNNING_VAR };
enum { Y, MEAN, INVSTD };

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    if (rule_data(n, X, 2, SHAPE_MAX, e) < 0 ||
        rule_real(n, "eps", 0, 1, e) < 0 ||
        rule_real(n, "momentum", 0, 1, e) < 0)
        return -1;
    const struct shape c = shape_make(1, &x->dim[1]);
    for (int i = WEIGHT; i <= RUNNING_VAR; i++)
        if (rule_weight(n, i, 1, c.dim, e) < 0)
            return -1;
    if (rule_out(n, Y, DTYPE_F32, x, e) < 0 ||
        rule_out(n, MEAN, DTYPE_F32, &c, e) < 0)
        return -1;
    return rule_out(n, INVSTD, DTYPE_F32, &c, e);
}

static struct op_cost cost(const struct node *n)
{
    const int64_t count = shape_count(&n->out[0]->shape);
    return (struct op_cost){.flop = 2 * count, .mac = count};
}

static void forward(const struct op_args *a)
{
    const struct axis s = axis_of(&a->in[X].shape, 1);
    const double eps = attr_real(a->node, "eps");
    const real *x = a->in[X].data, *w = a->in[WEIGHT].data;
    const real *b = a->in[BIAS].data;
    real *y = a->out[Y].data, *keep_mean = a->out[MEAN].data;
    real *keep_invstd = a->out[INVSTD].data;
    for (int64_t c = 0; c < s.size; c++) {
        double mean, var;
        if (a->node->train) {
            channel_moments(&s, x, c, &mean, &var);
        } else {
            mean = ((const real *)a->in[RUNNING_MEAN].data)[c];
            var = ((const real *)a->in[RUNNING_VAR].data)[c];
        }
        const double invstd = 1 / sqrt(var + eps);
        const double scale = (w ? w[c] : 1) * invstd;
        for (int64_t o = 0; o < s.outer; o++)
            for (int64_t i = 0; i < s.inner; i++) {
                const int64_t at = (o * s.size + c) * s.inner + i;
                y[at] = (real)((x[at] - mean) * scale + (b ? b[c] : 0));
            }
        if (keep_mean)
            keep_mean[c] = (real)mean;
        if (keep_invstd)
            keep_invstd[c] = (real)invstd;
    }
}

static void backward(const struct op_args *a)
{
    const struct axis s = axis_of(&a->in[X].shape, 1);
    const double m = (double)(s.outer * s.inner);
    const real *x = a->in[X].data, *w = a->in[WEIGHT].data;
    const real *dy = a->dout[0].data;
    const real *means = a->out[MEAN].data, *invstds = a->out[INVSTD].data;
    real *dx = a->din[X].data, *dw = a->din[WEIGHT].data;
    real *db = a->din[BIAS].data;
    for (int64_t c = 0; c < s.size; c++) {
        const double mean = means[c], invstd = invstds[c];
        const double scale = (w ? w[c] : 1) * invstd;
        double sum_dy, sum_dyh;
        channel_sums(&s, x, dy, c, mean, invstd, &sum_dy, &sum_dyh);
        if (db)
            db[c] = (real)sum_dy;
        if (dw)
            dw[c] = (real)sum_dyh;
        if (!dx)
            continue;
        if (!a->node->train)
            sum_dy = sum_dyh = 0;
        for (int64_t o = 0; o < s.outer; o++)
            for (int64_t i = 0; i < s.inner; i++) {
                const int64_t at = (o * s.size + c) * s.inner + i;
                const double h = (x[at] - mean) * invstd;
                dx[at] =
                    (real)(scale * (dy[at] - sum_dy / m - h * sum_dyh / m));
            }
    }
}

static void update(const struct op_args *a)
{
    const struct axis s = axis_of(&a->in[X].shape, 1);
    const double m = (double)(s.outer * s.inner);
    const double momentum = attr_real(a->node, "momentum");
    const double eps = attr_real(a->node, "eps");
    const real *mean = a->out[MEAN].data, *invstd = a->out[INVSTD].data;
    real *run_mean = a->in[RUNNING_MEAN].data;
    real *run_var = a->in[RUNNING_VAR].data;
    if (!a->node->train)
        return;
    for (int64_t c = 0; c < s.size; c++) {
        double var = 1 / ((double)invstd[c] * invstd[c]) - eps;
        var = (var > 0 ? var : 0) * (m > 1 ? m / (m - 1) : 1);
        run_mean[c] = (real)((1 - momentum) * run_mean[c] + momentum * mean[c]);
        run_var[c] = (real)((1 - momentum) * run_var[c] + momentum * var);
    }
}

static const struct op_in in[] = {
    {.name = "x"},
    {.name = "weight", .role = ROLE_PARAM, .when = "affine", .init = "ones"},
    {.name = "bias", .role = ROLE_PARAM, .when = "affine", .init = "zeros"},
    {.name = "running_mean", .role = ROLE_STATE, .init = "zeros"},
    {.name = "running_var", .role = ROLE_STATE, .init = "ones"},
    {0}};

static const struct op_attr attr[] = {
    {"eps", 'f', "1e-5", "added to the variance"},
    {"momentum", 'f', "0.1",
     "share of the new batch in the running statistics"},
    {"affine", 'b', "yes", "learn a scale and a shift per channel"},
    {0}};

static const char *const onnx[] = {"eps", "epsilon", NULL};

const struct op op_batchnorm2d = {
    .name = "batchnorm2d",
    .alias = "bn",
    .brief = "normalise each channel over the batch",
    .in = in,
    .n_out = 1,
    .n_aux = 2,
    .keep_in = 1 << X | 1 << WEIGHT,
    .keep_out = 1 << MEAN | 1 << INVSTD,
    .flags = OP_TRAIN,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
    .update = update,
    .onnx = {"BatchNormalization", 7, onnx},
};
