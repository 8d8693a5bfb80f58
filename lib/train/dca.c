/* dca.c -- see dca.h.
 * SPDX-License-Identifier: MIT  */
#include "train/dca.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/eigen.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/thread.h"

static const char *const names[] = {"first", "second"};

/* What is kept, of the largest: see dca.h.  */
static const double least_eigenvalue = 1e-10, least_singular = 1e-6;

static int new_matrix(struct tensor *t, enum dtype dt, int64_t m, int64_t n,
                      struct err *e)
{
    const struct shape s = shape_make(2, (int64_t[]){m, n});

    return tensor_new(t, dt, &s, e);
}

/* Row I of the matrix T of doubles.  */
static double *row(const struct tensor *t, int64_t i)
{
    return (double *)t->data + i * t->shape.dim[1];
}

static double dot(const double *x, const double *y, int64_t n)
{
    double sum[4] = {0};
    int64_t i = 0;

    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++)
            sum[k] += x[i + k] * y[i + k];
    for (; i < n; i++)
        sum[0] += x[i] * y[i];
    return sum[0] + sum[1] + (sum[2] + sum[3]);
}

static double dot_f32(const double *w, const float *x, int64_t n)
{
    double sum[4] = {0};
    int64_t i = 0;

    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++)
            sum[k] += w[i + k] * (double)x[i + k];
    for (; i < n; i++)
        sum[0] += w[i] * (double)x[i];
    return sum[0] + sum[1] + (sum[2] + sum[3]);
}

static void add_scaled(double *y, double a, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

/* ---- the classes of one set ---- */

struct scatter {
    struct tensor p;    /* [classes, width]: the columns of P */
    struct tensor gram; /* [classes, classes]: P'P above the diagonal */
    struct tensor q;    /* its eigenvectors, rows */
    struct tensor w;    /* [rank, width] */
    double *value;      /* its eigenvalues */
    double energy;      /* the sum of all squares of the set */
};

static void scatter_release(struct scatter *s)
{
    tensor_unref(&s->p);
    tensor_unref(&s->gram);
    tensor_unref(&s->q);
    free(s->value);
}

static int check_finite(const struct tensor *x, const char *name, struct err *e)
{
    for (int64_t i = 0; i < x->shape.dim[0]; i++) {
        const struct tensor r = tensor_rows(x, i, 1);

        if (!tensor_finite(&r))
            return err_set(e, ERR_NONFINITE,
                           "row %lld of the %s set holds a number that is not "
                           "finite",
                           (long long)i + 1, name);
    }
    return 0;
}

/* Sums of the samples of each class in P; how many in COUNT.  */
static void add_samples(struct scatter *s, int64_t *count,
                        const struct tensor *x, const int64_t *label)
{
    const int64_t width = x->shape.dim[1];

    for (int64_t i = 0; i < x->shape.dim[0]; i++) {
        const float *from = (const float *)x->data + i * width;
        double *to = row(&s->p, label[i]);

        for (int64_t k = 0; k < width; k++) {
            to[k] += (double)from[k];
            s->energy += (double)from[k] * (double)from[k];
        }
        count[label[i]]++;
    }
}

/* P of its sums; MEAN gets that of all samples.  */
static void centre(struct scatter *s, double *mean, const int64_t *count)
{
    const int64_t c = s->p.shape.dim[0], width = s->p.shape.dim[1];
    int64_t n = 0;

    for (int64_t i = 0; i < c; i++) {
        add_scaled(mean, 1, row(&s->p, i), width);
        n += count[i];
    }
    for (int64_t k = 0; k < width; k++)
        mean[k] /= (double)n;
    for (int64_t i = 0; i < c; i++) {
        const double root = sqrt((double)count[i]);

        for (int64_t k = 0; count[i] && k < width; k++)
            row(&s->p, i)[k] = row(&s->p, i)[k] / root - root * mean[k];
    }
}

static void gram_row(void *ctx, int64_t i, int thread)
{
    const struct scatter *s = ctx;

    (void)thread;
    for (int64_t j = i; j < s->p.shape.dim[0]; j++)
        row(&s->gram, i)[j] = dot(row(&s->p, i), row(&s->p, j), //
                                  s->p.shape.dim[1]);
}

/* W = P Q / L, a row each.  */
static void separate_row(void *ctx, int64_t i, int thread)
{
    const struct scatter *s = ctx;

    (void)thread;
    for (int64_t k = 0; k < s->p.shape.dim[0]; k++)
        add_scaled(row(&s->w, i), row(&s->q, i)[k] / s->value[i], row(&s->p, k),
                   s->p.shape.dim[1]);
}

/* Means of classes that differ by no more than f32 can say are the same.  */
static int64_t rank_of(const struct scatter *s, int64_t most)
{
    const int64_t c = s->p.shape.dim[0];
    const int64_t last = most && most < c ? most : c - 1;
    int64_t n = 0;

    if (s->value[0] <= (double)FLT_EPSILON * (double)FLT_EPSILON * s->energy)
        return 0;
    while (n < last && s->value[n] > least_eigenvalue * s->value[0])
        n++;
    return n;
}

static int find_directions(struct scatter *s, const struct dca_opts *o,
                           const char *name, struct err *e)
{
    const int64_t c = o->classes;
    int64_t rank;

    if (new_matrix(&s->gram, DTYPE_F64, c, c, e) < 0 ||
        new_matrix(&s->q, DTYPE_F64, c, c, e) < 0)
        return -1;
    pool_run(o->pool, c, gram_row, s);
    eigen_symmetric(s->value, s->q.data, s->gram.data, c);
    rank = rank_of(s, o->most);
    if (!rank)
        return err_set(e, ERR_FORMAT,
                       "the classes have the same mean in the %s set: nothing "
                       "tells them apart",
                       name);
    if (new_matrix(&s->w, DTYPE_F64, rank, s->p.shape.dim[1], e) < 0)
        return -1;
    pool_run(o->pool, rank, separate_row, s);
    return 0;
}

int dca_separate(struct tensor *w, struct tensor *mean, const struct tensor *x,
                 const char *name, const struct dca_opts *o, struct err *e)
{
    const struct shape wide = shape_make(1, &x->shape.dim[1]);
    struct scatter s = {.value = xcalloc((size_t)o->classes, sizeof(double))};
    int64_t *count = xcalloc((size_t)o->classes, sizeof *count);
    int bad;

    *mean = (struct tensor){0};
    bad = check_finite(x, name, e) < 0 ||
          new_matrix(&s.p, DTYPE_F64, o->classes, wide.dim[0], e) < 0 ||
          tensor_new(mean, DTYPE_F64, &wide, e) < 0;
    if (!bad) {
        add_samples(&s, count, x, o->label);
        centre(&s, mean->data, count);
        bad = find_directions(&s, o, name, e) < 0;
    }
    if (bad)
        tensor_unref(mean);
    *w = s.w;
    scatter_release(&s);
    free(count);
    return bad ? -1 : 0;
}

/* ---- both sets ---- */

enum { CHUNK = 256 }; /* samples that are projected at a time */

struct pair {
    const struct tensor *x;
    struct tensor w[2], mean[2]; /* of each set */
    double *bias[2];             /* - w mean */
    struct tensor y[2];          /* [CHUNK, rank]: samples projected */
    struct tensor cross;         /* [rank, rank]: their covariance, summed */
    int64_t from, n;             /* the samples of the chunk */
    /* of cross */
    double *value;
    struct tensor left, right;
    struct dca *d;
};

static void pair_release(struct pair *p)
{
    for (int s = 0; s < 2; s++) {
        tensor_unref(&p->w[s]);
        tensor_unref(&p->mean[s]);
        tensor_unref(&p->y[s]);
        free(p->bias[s]);
    }
    tensor_unref(&p->cross);
    tensor_unref(&p->left);
    tensor_unref(&p->right);
    free(p->value);
}

static void project_sample(void *ctx, int64_t i, int thread)
{
    const struct pair *p = ctx;

    (void)thread;
    for (int s = 0; s < 2; s++) {
        const int64_t width = p->x[s].shape.dim[1];
        const float *x = (const float *)p->x[s].data + (p->from + i) * width;

        for (int64_t k = 0; k < p->w[s].shape.dim[0]; k++)
            row(&p->y[s], i)[k] =
                dot_f32(row(&p->w[s], k), x, width) + p->bias[s][k];
    }
}

static void cross_row(void *ctx, int64_t a, int thread)
{
    const struct pair *p = ctx;

    (void)thread;
    for (int64_t i = 0; i < p->n; i++)
        add_scaled(row(&p->cross, a), row(&p->y[0], i)[a], row(&p->y[1], i),
                   p->cross.shape.dim[1]);
}

static void add_up(struct pair *p, struct pool *pool)
{
    const int64_t samples = p->x[0].shape.dim[0];

    for (p->from = 0; p->from < samples; p->from += CHUNK) {
        p->n = samples - p->from < CHUNK ? samples - p->from : CHUNK;
        pool_run(pool, p->n, project_sample, p);
        pool_run(pool, p->cross.shape.dim[0], cross_row, p);
    }
}

static int separate_both(struct pair *p, const struct dca_opts *o,
                         struct err *e)
{
    for (int s = 0; s < 2; s++) {
        int64_t rank, width;

        if (dca_separate(&p->w[s], &p->mean[s], &p->x[s], names[s], o, e) < 0)
            return -1;
        rank = p->w[s].shape.dim[0], width = p->w[s].shape.dim[1];
        if (new_matrix(&p->y[s], DTYPE_F64, CHUNK, rank, e) < 0)
            return -1;
        p->bias[s] = xcalloc((size_t)rank, sizeof(double));
        for (int64_t k = 0; k < rank; k++)
            p->bias[s][k] = -dot(row(&p->w[s], k), p->mean[s].data, width);
    }
    return 0;
}

/* How many components there are; 0 on failure.  */
static int64_t correlate(struct pair *p, struct pool *pool, struct err *e)
{
    const int64_t a = p->w[0].shape.dim[0], b = p->w[1].shape.dim[0];
    const int64_t k = a < b ? a : b;
    int64_t n = 0;

    if (new_matrix(&p->cross, DTYPE_F64, a, b, e) < 0 ||
        new_matrix(&p->left, DTYPE_F64, k, a, e) < 0 ||
        new_matrix(&p->right, DTYPE_F64, k, b, e) < 0)
        return 0;
    p->value = xcalloc((size_t)k, sizeof *p->value);
    add_up(p, pool);
    eigen_singular(p->value, p->left.data, p->right.data, p->cross.data, a, b);
    while (n < k && p->value[n] > least_singular * p->value[0])
        n++;
    if (!n)
        err_set(e, ERR_FORMAT, "nothing in one set goes with the other");
    return n;
}

/* ---- the projections ---- */

/* Component I of both: a row of U S^-1/2 times W, rounded, and the bias that
 * takes the mean of what it then is to 0.  */
static void component(void *ctx, int64_t i, int thread)
{
    const struct pair *p = ctx;
    const double scale = 1 / sqrt(p->value[i]);

    (void)thread;
    for (int s = 0; s < 2; s++) {
        const struct tensor *turn = s ? &p->right : &p->left, *w = &p->w[s];
        const int64_t width = w->shape.dim[1];
        float *to = (float *)p->d->weight[s].data + i * width;
        double *sum = xcalloc((size_t)width, sizeof *sum);

        for (int64_t k = 0; k < w->shape.dim[0]; k++)
            add_scaled(sum, scale * row(turn, i)[k], row(w, k), width);
        for (int64_t k = 0; k < width; k++)
            to[k] = (float)sum[k];
        ((float *)p->d->bias[s].data)[i] =
            (float)-dot_f32(p->mean[s].data, to, width);
        free(sum);
    }
}

static int finish(struct pair *p, int64_t n, struct pool *pool, struct err *e)
{
    const struct shape one = shape_make(1, &n);

    p->d->n = n;
    for (int s = 0; s < 2; s++)
        if (new_matrix(&p->d->weight[s], DTYPE_F32, n, p->x[s].shape.dim[1],
                       e) < 0 ||
            tensor_new(&p->d->bias[s], DTYPE_F32, &one, e) < 0)
            return -1;
    pool_run(pool, n, component, p);
    return 0;
}

/* Of features near the end of what f32 holds, a projection may be beyond.  */
static int check_result(const struct dca *d, struct err *e)
{
    for (int s = 0; s < 2; s++)
        if (!tensor_finite(&d->weight[s]) || !tensor_finite(&d->bias[s]))
            return err_set(e, ERR_NONFINITE,
                           "the projection of the %s set does not fit f32: "
                           "its features are too large or too small",
                           names[s]);
    return 0;
}

static int check(const struct tensor x[2], const struct dca_opts *o,
                 struct err *e)
{
    if (x[0].shape.dim[0] != x[1].shape.dim[0])
        return err_set(
            e, ERR_SHAPE, "the first set has %lld samples, the second %lld",
            (long long)x[0].shape.dim[0], (long long)x[1].shape.dim[0]);
    if (o->classes < 2)
        return err_set(e, ERR_FORMAT,
                       "all samples are of one class: there is nothing to "
                       "tell apart");
    return o->classes > DCA_CLASSES
               ? err_set(e, ERR_UNSUPPORTED, "%lld classes, more than %d",
                         (long long)o->classes, DCA_CLASSES)
               : 0;
}

int dca_fit(struct dca *d, const struct tensor x[2], const struct dca_opts *o,
            struct err *e)
{
    struct pair p = {.x = x, .d = d};
    int64_t n;
    int bad;

    *d = (struct dca){0};
    if (check(x, o, e) < 0)
        return -1;
    n = separate_both(&p, o, e) < 0 ? 0 : correlate(&p, o->pool, e);
    bad = !n || finish(&p, n, o->pool, e) < 0 || check_result(d, e) < 0;
    pair_release(&p);
    if (bad)
        dca_release(d);
    return bad ? -1 : 0;
}

void dca_release(struct dca *d)
{
    for (int s = 0; s < 2; s++) {
        tensor_unref(&d->weight[s]);
        tensor_unref(&d->bias[s]);
        free(d->origin[s]);
    }
    *d = (struct dca){0};
}

/* ---- fused ---- */

struct fusion {
    const struct dca *d;
    const struct tensor *x;
    float *y;
    enum dca_how how;
};

static double at(const struct fusion *f, int s, int64_t i, int64_t k)
{
    const int64_t width = f->d->weight[s].shape.dim[1];
    const float *w = (const float *)f->d->weight[s].data + k * width;
    const float *x = (const float *)f->x[s].data + i * width;
    double sum = (double)((const float *)f->d->bias[s].data)[k];

    for (int64_t j = 0; j < width; j++)
        sum += (double)w[j] * (double)x[j];
    return sum;
}

static void fuse_sample(void *ctx, int64_t i, int thread)
{
    const struct fusion *f = ctx;
    const int64_t n = f->d->n;

    (void)thread;
    for (int64_t k = 0; k < n; k++) {
        const double a = at(f, 0, i, k), b = at(f, 1, i, k);

        if (f->how == DCA_ADD) {
            f->y[i * n + k] = (float)(a + b);
        } else {
            f->y[i * 2 * n + k] = (float)a;
            f->y[i * 2 * n + n + k] = (float)b;
        }
    }
}

int dca_fuse(struct tensor *y, const struct dca *d, const struct tensor x[2],
             enum dca_how how, struct pool *pool, struct err *e)
{
    const int64_t samples = x[0].shape.dim[0];
    struct fusion f = {.d = d, .x = x, .how = how};

    for (int s = 0; s < 2; s++)
        if (x[s].shape.dim[1] != d->weight[s].shape.dim[1])
            return err_set(e, ERR_SHAPE,
                           "the %s set has %lld features, its projection was "
                           "fitted to %lld",
                           names[s], (long long)x[s].shape.dim[1],
                           (long long)d->weight[s].shape.dim[1]);
    if (samples != x[1].shape.dim[0])
        return err_set(e, ERR_SHAPE,
                       "the first set has %lld samples, the second %lld",
                       (long long)samples, (long long)x[1].shape.dim[0]);
    if (new_matrix(y, DTYPE_F32, samples, how == DCA_ADD ? d->n : 2 * d->n, e) <
        0)
        return -1;
    f.y = y->data;
    pool_run(pool, samples, fuse_sample, &f);
    return 0;
}
