/* fold.c -- see fold.h.
 * SPDX-License-Identifier: MIT  */
#include "pass/fold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "graph/graph.h"

/* Operand NAME of N as f32 data.  *P stays NULL where N goes without it.  */
static int data_of(const float **p, const struct node *n, const char *name,
                   struct err *e)
{
    const int i = node_in_index(n, name);
    const struct value *v = i < 0 ? NULL : n->in[i];

    *p = NULL;
    if (!v)
        return 0;
    if (!v->data.data)
        return err_set(e, ERR_USAGE,
                       "'%s' has no data; initialise the model with adze-init",
                       Q(v->name));
    if (v->dtype != DTYPE_F32)
        return err_set(e, ERR_UNSUPPORTED, "'%s' is %s, not f32", Q(v->name),
                       dtype_name(v->dtype));
    *p = v->data.data;
    return 0;
}

static int not_finite(struct err *e, const char *node, int64_t channel,
                      const char *what, double v)
{
    return err_set(e, ERR_NONFINITE, "'%s': channel %lld: %s is %g", Q(node),
                   (long long)channel, what, v);
}

int affine_load(struct affine *a, const struct node *bn, struct err *e)
{
    const double eps = attr_real(bn, "eps");
    const float *weight, *bias, *mean, *var;

    memset(a, 0, sizeof *a);
    if (data_of(&weight, bn, "weight", e) < 0 ||
        data_of(&bias, bn, "bias", e) < 0 ||
        data_of(&mean, bn, "running_mean", e) < 0 ||
        data_of(&var, bn, "running_var", e) < 0)
        return -1;
    a->n = bn->in[0]->shape.dim[1];
    a->scale = xcalloc((size_t)a->n * 2 + 1, sizeof *a->scale);
    a->shift = a->scale + a->n;
    for (int64_t c = 0; c < a->n; c++) {
        const double v = var[c] + eps;

        if (!(v > 0) || isinf(v))
            return not_finite(e, bn->name, c, "variance + eps", v);
        a->scale[c] = (weight ? weight[c] : 1) / sqrt(v);
        a->shift[c] = (bias ? bias[c] : 0) - mean[c] * a->scale[c];
        if (!isfinite(a->scale[c]) || !isfinite(a->shift[c]))
            return not_finite(e, bn->name, c, "scale or shift",
                              isfinite(a->scale[c]) ? a->shift[c]
                                                    : a->scale[c]);
    }
    return 0;
}

void affine_release(struct affine *a)
{
    free(a->scale);
    memset(a, 0, sizeof *a);
}

static int make(struct fold *f, struct err *e)
{
    const struct shape s = shape_make(4, (int64_t[]){f->k, f->c, f->r, f->s});

    if (tensor_new(&f->keep, DTYPE_F64, &s, e) < 0)
        return -1;
    f->w = f->keep.data;
    f->b = xcalloc((size_t)f->k + 1, sizeof *f->b);
    return 0;
}

int fold_load(struct fold *f, const struct node *n, struct err *e)
{
    const float *w, *b;

    memset(f, 0, sizeof *f);
    if (data_of(&w, n, "weight", e) < 0 || data_of(&b, n, "bias", e) < 0)
        return -1;
    const struct shape *s = &n->in[node_in_index(n, "weight")]->shape;

    f->k = s->dim[0];
    f->c = s->dim[1];
    f->r = s->rank == 4 ? s->dim[2] : 1;
    f->s = s->rank == 4 ? s->dim[3] : 1;
    if (make(f, e) < 0)
        return -1;
    for (int64_t i = 0, count = tensor_count(&f->keep); i < count; i++)
        f->w[i] = w[i];
    for (int64_t k = 0; b && k < f->k; k++)
        f->b[k] = b[k];
    return 0;
}

int fold_identity(struct fold *f, int64_t channels, int64_t groups,
                  struct err *e)
{
    memset(f, 0, sizeof *f);
    f->k = channels;
    f->c = channels / groups;
    f->r = f->s = 1;
    if (make(f, e) < 0)
        return -1;
    for (int64_t k = 0; k < f->k; k++)
        f->w[k * f->c + k % f->c] = 1;
    return 0;
}

int fold_average(struct fold *f, int64_t channels, int64_t r, int64_t s,
                 struct err *e)
{
    *f = (struct fold){.k = channels, .c = 1, .r = r, .s = s};
    if (make(f, e) < 0)
        return -1;
    for (int64_t i = 0; i < channels * r * s; i++)
        f->w[i] = 1 / (double)(r * s);
    return 0;
}

int fold_regroup(struct fold *f, int64_t channels, int64_t from, int64_t to,
                 struct err *e)
{
    struct fold g = {.k = f->k, .c = channels / to, .r = f->r, .s = f->s};
    const int64_t row = f->c * f->r * f->s, taps = f->r * f->s;

    if (from == to)
        return 0;
    if (from % to || f->c != channels / from)
        BUG("%lld groups are no %lld", (long long)from, (long long)to);
    if (make(&g, e) < 0)
        return -1;
    for (int64_t k = 0; k < f->k; k++) {
        const int64_t first = k / (f->k / from) * f->c; /* input channel */

        memcpy(g.w + (k * g.c + first % g.c) * taps, f->w + k * row,
               (size_t)row * sizeof *f->w);
        g.b[k] = f->b[k];
    }
    fold_release(f);
    *f = g;
    return 0;
}

/* Y[to + i][c] += w X[i][c] for the taps of X, [R, S, C] under [.., S_Y, C].
 */
static void add_taps(double *y, int64_t s_y, const double *x,
                     const struct fold *f, double w)
{
    for (int64_t r = 0; r < f->r; r++) {
        double *to = y + r * s_y * f->c;
        const double *from = x + r * f->s * f->c;

        for (int64_t i = 0; i < f->s * f->c; i++)
            to[i] += w * from[i];
    }
}

/* TO [T, C] = FROM [C, T].  */
static void turn(double *to, const double *from, int64_t c, int64_t t)
{
    for (int64_t i = 0; i < c; i++)
        for (int64_t j = 0; j < t; j++)
            to[j * c + i] = from[i * t + j];
}

/* Output K of BOTH into Y [R, S, C]; FT holds F with its channels last.  */
static void compose_row(struct fold *both, const struct fold *f,
                        const struct fold *g, const double *ft, int64_t k,
                        double *y)
{
    const int64_t plane = f->c * f->r * f->s, taps = g->r * g->s;
    const int64_t first = k / (g->k / (f->k / g->c)) * g->c; /* F's output */

    memset(y, 0, (size_t)(both->c * both->r * both->s) * sizeof *y);
    both->b[k] = g->b[k];
    for (int64_t m = 0; m < g->c; m++)
        for (int64_t t = 0; t < taps; t++) {
            const double w = g->w[(k * g->c + m) * taps + t];

            if (w == 0) /* most of a kernel that was regrouped */
                continue;
            both->b[k] += w * f->b[first + m];
            add_taps(y + (t / g->s * both->s + t % g->s) * f->c, both->s,
                     ft + (first + m) * plane, f, w);
        }
}

int fold_compose(struct fold *both, const struct fold *f, const struct fold *g,
                 struct err *e)
{
    const int64_t plane = f->c * f->r * f->s;
    double *ft, *y;

    *both = (struct fold){
        .k = g->k, .c = f->c, .r = f->r + g->r - 1, .s = f->s + g->s - 1};
    if (f->k % g->c || g->k % (f->k / g->c))
        BUG("a kernel of %lld channels behind %lld", (long long)g->c,
            (long long)f->k);
    if (make(both, e) < 0)
        return -1;
    const int64_t row = both->c * both->r * both->s;

    ft = xcalloc((size_t)(f->k * plane) + 1, sizeof *ft);
    y = xcalloc((size_t)row + 1, sizeof *y);
    for (int64_t m = 0; m < f->k; m++)
        turn(ft + m * plane, f->w + m * plane, f->c, f->r * f->s);
    for (int64_t k = 0; k < g->k; k++) {
        compose_row(both, f, g, ft, k, y);
        turn(both->w + k * row, y, both->r * both->s, both->c);
    }
    free(ft);
    free(y);
    return 0;
}

void fold_release(struct fold *f)
{
    tensor_unref(&f->keep);
    free(f->b);
    memset(f, 0, sizeof *f);
}

void fold_absorb(struct fold *f, const struct affine *a)
{
    const int64_t row = f->c * f->r * f->s;

    if (a->n != f->k)
        BUG("an affine map of %lld channels behind %lld", (long long)a->n,
            (long long)f->k);
    for (int64_t k = 0; k < f->k; k++) {
        for (int64_t i = 0; i < row; i++)
            f->w[k * row + i] *= a->scale[k];
        f->b[k] = f->b[k] * a->scale[k] + a->shift[k];
    }
}

void fold_add(struct fold *f, const struct fold *g, int64_t top, int64_t left)
{
    if (f->k != g->k || f->c != g->c || top < 0 || top + g->r > f->r ||
        left < 0 || left + g->s > f->s)
        BUG("branches that do not fit are added");
    for (int64_t p = 0; p < f->k * f->c; p++)
        for (int64_t r = 0; r < g->r; r++)
            for (int64_t s = 0; s < g->s; s++)
                f->w[(p * f->r + top + r) * f->s + left + s] +=
                    g->w[(p * g->r + r) * g->s + s];
    for (int64_t k = 0; k < f->k; k++)
        f->b[k] += g->b[k];
}

/* Round N numbers; -1 and *BAD where one is not finite as f32.  */
static int round_row(float *to, const double *from, int64_t n, double *bad)
{
    for (int64_t i = 0; i < n; i++) {
        to[i] = (float)from[i];
        if (!isfinite(to[i])) {
            *bad = from[i];
            return -1;
        }
    }
    return 0;
}

int fold_store(const struct fold *f, const struct shape *like,
               struct tensor *weight, struct tensor *bias, const char *node,
               struct err *e)
{
    const int64_t row = f->c * f->r * f->s;
    double bad;

    memset(weight, 0, sizeof *weight);
    memset(bias, 0, sizeof *bias);
    if (shape_count(like) != f->k * row)
        BUG("weights of '%s' change their size", node);
    if (tensor_new(weight, DTYPE_F32, like, e) < 0 ||
        tensor_new(bias, DTYPE_F32, &(struct shape){.rank = 1, .dim = {f->k}},
                   e) < 0)
        goto fail;
    for (int64_t k = 0; k < f->k; k++) {
        if (round_row((float *)weight->data + k * row, f->w + k * row, row,
                      &bad) < 0) {
            not_finite(e, node, k, "a weight", bad);
            goto fail;
        }
        if (round_row((float *)bias->data + k, f->b + k, 1, &bad) < 0) {
            not_finite(e, node, k, "the bias", bad);
            goto fail;
        }
    }
    return 0;
fail:
    tensor_unref(weight);
    tensor_unref(bias);
    return -1;
}
