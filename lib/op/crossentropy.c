/* crossentropy.c -- mean cross-entropy between softmax(x) and targets.
 * SPDX-License-Identifier: MIT
 *
 *     loss = 1/M sum over n, k of -t'[n,k] log softmax(x[n])[k]
 *
 *   x [N,K]  target [N] i64 class numbers, or [N,K] f32  loss [1]
 * A class number y is the row t[k] = (k == y).  Smoothing by s, with
 * smoothing_rule
 *     k:    t' = (1 - s) t + s / K          (every framework)
 *     k-1:  t' = (1 - s) t + s (1 - t) / (K - 1)    (He et al.)
 * A row of class -1, or all of whose targets are zero, is padding: M counts
 * the others.  A class number outside [-1, K) makes the loss NaN.
 * Backward keeps x and target.  With T the sum of t' over k:
 *     dx = (T softmax(x) - t') dloss / M,  dt' = -log softmax(x) dloss / M
 * Szegedy et al., "Rethinking the inception architecture", 2016, section 7;
 * He et al., "Bag of tricks", 2019, equation 3.  */
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/real.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "op/rule.h"

enum { X, TARGET };

static const char *const rules[] = {"k", "k-1", NULL};

static int infer(struct node *n, struct err *e)
{
    const struct shape *x = &n->in[X]->shape;
    const struct value *t = n->in[TARGET];
    const int soft = t->dtype == DTYPE_F32;
    struct shape want = *x;
    want.rank = soft ? 2 : 1;
    if (rule_data(n, X, 2, 2, e) < 0 ||
        rule_real(n, "smoothing", 0, 1, e) < 0 ||
        rule_choice(n, "smoothing_rule", rules, e) < 0)
        return -1;
    if (!soft && t->dtype != DTYPE_I64)
        return err_set(e, ERR_SHAPE, "target is %s, not i64 or f32",
                       dtype_name(t->dtype));
    if (!shape_equal(&t->shape, &want))
        return err_set(e, ERR_SHAPE,
                       "target %s does not fit input %s: needs "
                       "%s",
                       ST(&t->shape), ST(x), ST(&want));
    const struct shape one = shape_make(1, (int64_t[]){1});
    return rule_out(n, 0, DTYPE_F32, &one, e);
}

static struct op_cost cost(const struct node *n)
{
    return (struct op_cost){.flop = 5 * shape_count(&n->in[X]->shape)};
}

/* t' = slope t + offset */
struct targets {
    int64_t rows, classes;
    double slope, offset;
    const int64_t *hard; /* one of these */
    const real *soft;
};

static struct targets targets(const struct op_args *a)
{
    const struct tensor *t = &a->in[TARGET];
    const double s = attr_real(a->node, "smoothing");
    struct targets r = {.rows = a->in[X].shape.dim[0],
                        .classes = a->in[X].shape.dim[1]};
    const double k = (double)r.classes;
    r.offset = s / k;
    r.slope = 1 - s;
    if (!strcmp(attr_str(a->node, "smoothing_rule"), "k-1") && k > 1) {
        r.offset = s / (k - 1);
        r.slope = 1 - s - r.offset;
    }
    if (t->dtype == DTYPE_I64)
        r.hard = t->data;
    else
        r.soft = t->data;
    return r;
}

/* The target of class K in row N before smoothing.  */
static double raw(const struct targets *t, int64_t n, int64_t k)
{
    return t->hard ? t->hard[n] == k : t->soft[n * t->classes + k];
}

static double target(const struct targets *t, int64_t n, int64_t k)
{
    return t->slope * raw(t, n, k) + t->offset;
}

static int is_padding(const struct targets *t, int64_t n)
{
    if (t->hard)
        return t->hard[n] == -1;
    for (int64_t k = 0; k < t->classes; k++)
        if (raw(t, n, k) != 0)
            return 0;
    return 1;
}

static int is_wild(const struct targets *t, int64_t n)
{
    return t->hard && (t->hard[n] < -1 || t->hard[n] >= t->classes);
}

/* 1 / M, or 0 if all rows are padding.  */
static double weight(const struct targets *t)
{
    int64_t m = 0;
    for (int64_t n = 0; n < t->rows; n++)
        m += !is_padding(t, n);
    return m ? 1 / (double)m : 0;
}

/* log sum exp of a row.  */
static double row_lse(const real *x, int64_t classes)
{
    double max = x[0], sum = 0;
    for (int64_t k = 1; k < classes; k++)
        if (x[k] > max)
            max = x[k];
    for (int64_t k = 0; k < classes; k++)
        sum += exp(x[k] - max);
    return max + log(sum);
}

static double row_loss(const struct targets *t, const real *x, int64_t n)
{
    const double lse = row_lse(x, t->classes);
    double loss = 0;
    if (is_wild(t, n))
        return NAN;
    for (int64_t k = 0; k < t->classes; k++) {
        const double p = target(t, n, k);
        if (p != 0) /* 0 log 0 is 0 */
            loss += p * (lse - x[k]);
    }
    return loss;
}

static void forward(const struct op_args *a)
{
    const struct targets t = targets(a);
    const real *x = a->in[X].data;
    double sum = 0;
    for (int64_t n = 0; n < t.rows; n++)
        if (!is_padding(&t, n))
            sum += row_loss(&t, x + n * t.classes, n);
    *(real *)a->out[0].data = (real)(sum * weight(&t));
}

/* DX and DT (of class probabilities) may be NULL; FACTOR 0 is padding.  */
static void row_backward(const struct targets *t, const real *x, int64_t n,
                         double factor, real *dx, real *dt)
{
    const double lse = row_lse(x, t->classes);
    double total = 0;
    for (int64_t k = 0; k < t->classes; k++)
        total += target(t, n, k);
    for (int64_t k = 0; k < t->classes; k++) {
        const double p = exp(x[k] - lse) * total - target(t, n, k);
        if (dx)
            dx[k] = (real)(factor == 0 ? 0 : p * factor);
        if (dt)
            dt[k] = (real)(factor == 0 ? 0 : t->slope * (lse - x[k]) * factor);
    }
}

static void backward(const struct op_args *a)
{
    const struct targets t = targets(a);
    const double d = *(const real *)a->dout[0].data * weight(&t);
    const real *x = a->in[X].data;
    real *dx = a->din[X].data, *dt = a->din[TARGET].data;
    for (int64_t n = 0; n < t.rows; n++) {
        const int64_t at = n * t.classes;
        const double factor = is_padding(&t, n) ? 0 : is_wild(&t, n) ? NAN : d;
        row_backward(&t, x + at, n, factor, dx ? dx + at : NULL,
                     dt ? dt + at : NULL);
    }
}

static const struct op_in in[] = {{.name = "x"}, {.name = "target"}, {0}};

static const struct op_attr attr[] = {
    {"smoothing", 'f', "0", "share of the target spread over all classes"},
    {"smoothing_rule", 's', "k",
     "k: over all classes; k-1: over the wrong ones"},
    {0}};

const struct op op_crossentropy = {
    .name = "crossentropy",
    .alias = "cross_entropy",
    .brief = "mean cross-entropy of logits against classes or probabilities",
    .in = in,
    .n_out = 1,
    .keep_in = 1 << X | 1 << TARGET,
    .flags = OP_LOSS,
    .attr = attr,
    .infer = infer,
    .cost = cost,
    .forward = forward,
    .backward = backward,
};
