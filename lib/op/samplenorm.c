/* samplenorm.c -- see samplenorm.h.
 * SPDX-License-Identifier: MIT  */
#include "op/samplenorm.h"

#include <math.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/axis.h"
#include "op/rule.h"

enum { X, WEIGHT, BIAS };
enum { Y, MEAN, INVSTD };

int samplenorm_infer(struct node *n, int64_t groups, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    if (rule_data(n, X, 2, SHAPE_MAX, e) < 0 ||
        rule_real(n, "eps", 0, 1, e) < 0)
        return -1;
    const int64_t c = x->dim[1];
    struct shape rest = shape_make(2, (int64_t[]){x->dim[0], groups});
    rest.batch = x->batch;
    if (groups < 1 || c % groups)
        return err_set(e, ERR_SHAPE, "%lld groups do not divide input %s",
                       (long long)groups, ST(x));
    if (rule_weight(n, WEIGHT, 1, &c, e) < 0 ||
        rule_weight(n, BIAS, 1, &c, e) < 0 ||
        rule_out(n, Y, DTYPE_F32, x, e) < 0 ||
        rule_out(n, MEAN, DTYPE_F32, &rest, e) < 0)
        return -1;
    return rule_out(n, INVSTD, DTYPE_F32, &rest, e);
}

struct op_cost samplenorm_cost(const struct node *n)
{
    return (struct op_cost){.flop = 8 * shape_count(&n->out[0]->shape)};
}

/* Channels of a group, numbers of a channel, groups of all samples.  */
struct cut {
    int64_t c, inner, count, groups;
};

static struct cut cut_of(const struct op_args *a, int64_t groups)
{
    const struct axis s = axis_of(&a->in[X].shape, 1);
    return (struct cut){s.size / groups, s.inner, s.outer * groups, groups};
}

static void moments(const real *x, int64_t n, double *mean, double *var)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    *mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        square += (x[i] - *mean) * (x[i] - *mean);
    *var = square / (double)n;
}

void samplenorm_forward(const struct op_args *a, int64_t groups)
{
    const struct cut s = cut_of(a, groups);
    const double eps = attr_real(a->node, "eps");
    const real *w = a->in[WEIGHT].data, *b = a->in[BIAS].data;
    real *means = a->out[MEAN].data, *invstds = a->out[INVSTD].data;
    const int64_t size = s.c * s.inner;
    for (int64_t g = 0; g < s.count; g++) {
        const real *x = (const real *)a->in[X].data + g * size;
        real *y = (real *)a->out[Y].data + g * size;
        double mean, var;
        moments(x, size, &mean, &var);
        const double invstd = 1 / sqrt(var + eps);
        for (int64_t i = 0; i < size; i++) {
            const int64_t c = g % s.groups * s.c + i / s.inner;
            y[i] = (real)((x[i] - mean) * invstd * (w ? w[c] : 1) +
                          (b ? b[c] : 0));
        }
        if (means)
            means[g] = (real)mean;
        if (invstds)
            invstds[g] = (real)invstd;
    }
}

/* dx of one group; W begins at its first channel, or is NULL.  */
static void group_backward(const struct cut *s, const real *x, const real *dy,
                           const real *w, double mean, double invstd, real *dx)
{
    const int64_t size = s->c * s->inner;
    double g_mean = 0, gh_mean = 0;
    for (int64_t i = 0; i < size; i++) {
        const double g = (double)dy[i] * (w ? w[i / s->inner] : 1);
        g_mean += g / (double)size;
        gh_mean += g * (x[i] - mean) * invstd / (double)size;
    }
    for (int64_t i = 0; i < size; i++) {
        const double g = (double)dy[i] * (w ? w[i / s->inner] : 1);
        const double h = (x[i] - mean) * invstd;
        dx[i] = (real)(invstd * (g - g_mean - h * gh_mean));
    }
}

/* dweight and dbias of channel C.  */
static void sums(const struct op_args *a, const struct cut *s, int64_t c,
                 double *dw, double *db)
{
    const real *means = a->out[MEAN].data, *invstds = a->out[INVSTD].data;
    const int64_t size = s->c * s->inner;
    *dw = *db = 0;
    for (int64_t g = c / s->c; g < s->count; g += s->groups) {
        const int64_t at = g * size + c % s->c * s->inner;
        const real *x = (const real *)a->in[X].data + at;
        const real *dy = (const real *)a->dout[0].data + at;
        for (int64_t i = 0; i < s->inner; i++) {
            *db += dy[i];
            *dw += (double)dy[i] * (x[i] - (double)means[g]) * invstds[g];
        }
    }
}

void samplenorm_backward(const struct op_args *a, int64_t groups)
{
    const struct cut s = cut_of(a, groups);
    const real *means = a->out[MEAN].data, *invstds = a->out[INVSTD].data;
    const real *w = a->in[WEIGHT].data;
    real *dx = a->din[X].data, *dw = a->din[WEIGHT].data;
    real *db = a->din[BIAS].data;
    for (int64_t g = 0; dx && g < s.count; g++) {
        const int64_t at = g * s.c * s.inner;
        group_backward(&s, (const real *)a->in[X].data + at,
                       (const real *)a->dout[0].data + at,
                       w ? w + g % groups * s.c : NULL, means[g], invstds[g],
                       dx + at);
    }
    for (int64_t c = 0; (dw || db) && c < s.c * groups; c++) {
        double w_sum, b_sum;
        sums(a, &s, c, &w_sum, &b_sum);
        if (dw)
            dw[c] = (real)w_sum;
        if (db)
            db[c] = (real)b_sum;
    }
}
