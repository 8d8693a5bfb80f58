/* eigen.c -- see eigen.h.
 * SPDX-License-Identifier: MIT  */
#include "base/eigen.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Both methods converge quadratically, in six to ten sweeps.  */
enum { SWEEPS = 60 };

/* The rotation [c s; -s c].  */
struct rotation {
    double c, s;
};

/* What makes the symmetric [p r; r q] diagonal, by the smaller angle.  */
static struct rotation diagonalise(double p, double r, double q)
{
    const double h = (q - p) / (2 * r);
    const double t = copysign(1, h) / (fabs(h) + hypot(h, 1));
    const double c = 1 / hypot(t, 1);

    return (struct rotation){c, t * c};
}

static void rotate(double *restrict x, double *restrict y, int64_t n,
                   struct rotation r)
{
    for (int64_t i = 0; i < n; i++) {
        const double a = x[i], b = y[i];

        x[i] = r.c * a - r.s * b;
        y[i] = r.s * a + r.c * b;
    }
}

static void identity(double *a, int64_t n)
{
    memset(a, 0, mem_mul((size_t)(n * n), sizeof *a));
    for (int64_t i = 0; i < n; i++)
        a[i * n + i] = 1;
}

/* ---- order and sign ---- */

struct ranked {
    double value;
    int64_t at;
};

static int falling(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;

    if (a->value != b->value)
        return a->value < b->value ? 1 : -1;
    return a->at < b->at ? -1 : 1;
}

static double *copy_of(const double *a, int64_t n)
{
    double *b = xcalloc((size_t)n, sizeof *b);

    memcpy(b, a, (size_t)n * sizeof *b);
    return b;
}

/* Row I of A, N wide, becomes what was row R[i].at.  */
static void permute(double *a, const struct ranked *r, int64_t rows, int64_t n)
{
    double *old = copy_of(a, rows * n);

    for (int64_t i = 0; i < rows; i++)
        memcpy(a + i * n, old + r[i].at * n, (size_t)n * sizeof *a);
    free(old);
}

/* VALUE and with it the rows of A and B (which may be NULL), N and M wide.  */
static void sort(double *value, int64_t k, double *a, int64_t n, double *b,
                 int64_t m)
{
    struct ranked *r = xcalloc((size_t)k, sizeof *r);

    for (int64_t i = 0; i < k; i++)
        r[i] = (struct ranked){value[i], i};
    qsort(r, (size_t)k, sizeof *r, falling);
    for (int64_t i = 0; i < k; i++)
        value[i] = r[i].value;
    permute(a, r, k, n);
    if (b)
        permute(b, r, k, m);
    free(r);
}

static double largest(const double *x, int64_t n)
{
    double v = 0;

    for (int64_t i = 0; i < n; i++)
        if (fabs(x[i]) > fabs(v))
            v = x[i];
    return v;
}

static void turn(double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = -x[i];
}

/* ---- a symmetric matrix ---- */

/* Rows and columns I < J of the symmetric A.  */
static void rotate_both(double *a, int64_t n, int64_t i, int64_t j,
                        struct rotation r)
{
    const double p = a[i * n + i], q = a[j * n + j], off = a[i * n + j];
    const double t = r.s / r.c;

    rotate(a + i * n, a + j * n, n, r);
    a[i * n + i] = p - t * off;
    a[j * n + j] = q + t * off;
    a[i * n + j] = a[j * n + i] = 0;
    for (int64_t k = 0; k < n; k++) {
        a[k * n + i] = a[i * n + k];
        a[k * n + j] = a[j * n + k];
    }
}

/* Whether an element off the diagonal was over SMALL.  */
static int sweep_both(double *a, double *vector, int64_t n, double small)
{
    int some = 0;

    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++) {
            const double off = a[i * n + j];
            struct rotation r;

            if (fabs(off) <= small)
                continue;
            r = diagonalise(a[i * n + i], off, a[j * n + j]);
            rotate_both(a, n, i, j, r);
            rotate(vector + i * n, vector + j * n, n, r);
            some = 1;
        }
    return some;
}

void eigen_symmetric(double *value, double *vector, const double *from,
                     int64_t n)
{
    double *a = copy_of(from, n * n);
    double small;

    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            a[i * n + j] = a[j * n + i];
    small = fabs(largest(a, n * n)) * DBL_EPSILON / 2;
    identity(vector, n);
    for (int i = 0; i < SWEEPS && sweep_both(a, vector, n, small); i++)
        ;
    for (int64_t i = 0; i < n; i++)
        value[i] = a[i * n + i];
    sort(value, n, vector, n, NULL, 0);
    for (int64_t i = 0; i < n; i++)
        if (largest(vector + i * n, n) < 0)
            turn(vector + i * n, n);
    free(a);
}

/* ---- any matrix ---- */

/* The symmetric [p r; r q] of the products of X and Y.  */
struct products {
    double p, r, q;
};

static struct products products(const double *x, const double *y, int64_t n)
{
    struct products s = {0};

    for (int64_t i = 0; i < n; i++) {
        s.p += x[i] * x[i];
        s.r += x[i] * y[i];
        s.q += y[i] * y[i];
    }
    return s;
}

/* Make the K rows of U, M wide, orthogonal to each other, and turn those of V
 * alike; whether some were not.  */
static int sweep_rows(double *u, int64_t m, double *v, int64_t k)
{
    const double small = DBL_EPSILON * sqrt((double)m);
    int some = 0;

    for (int64_t i = 0; i < k; i++)
        for (int64_t j = i + 1; j < k; j++) {
            double *x = u + i * m, *y = u + j * m;
            const struct products s = products(x, y, m);
            struct rotation t;

            if (fabs(s.r) <= small * sqrt(s.p) * sqrt(s.q))
                continue;
            t = diagonalise(s.p, s.r, s.q);
            rotate(x, y, m, t);
            rotate(v + i * k, v + j * k, k, t);
            some = 1;
        }
    return some;
}

static double norm(const double *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

static void normalise(double *value, double *u, int64_t k, int64_t m)
{
    double most;

    for (int64_t i = 0; i < k; i++)
        value[i] = norm(u + i * m, m);
    most = largest(value, k);
    for (int64_t i = 0; i < k; i++) {
        const int hidden = value[i] <= most * DBL_EPSILON * (double)m;

        for (int64_t j = 0; j < m; j++)
            u[i * m + j] = hidden ? 0 : u[i * m + j] / value[i];
        value[i] = hidden ? 0 : value[i];
    }
}

/* U [k,m] holds the columns of a matrix that has no more columns than rows;
 * they become its left singular vectors, the rows of V [k,k] the right.  */
static void tall(double *value, double *u, double *v, int64_t m, int64_t k)
{
    identity(v, k);
    for (int i = 0; i < SWEEPS && sweep_rows(u, m, v, k); i++)
        ;
    normalise(value, u, k, m);
    sort(value, k, u, m, v, k);
}

void eigen_singular(double *value, double *left, double *right, const double *a,
                    int64_t m, int64_t n)
{
    const int64_t k = m < n ? m : n;

    if (m < n) {
        memcpy(right, a, mem_mul((size_t)(m * n), sizeof *a));
        tall(value, right, left, n, m);
    } else {
        for (int64_t i = 0; i < m * n; i++)
            left[i % n * m + i / n] = a[i];
        tall(value, left, right, m, n);
    }
    for (int64_t i = 0; i < k; i++) {
        const double x = largest(left + i * m, m);

        if (x < 0 || (!x && largest(right + i * n, n) < 0)) {
            turn(left + i * m, m);
            turn(right + i * n, n);
        }
    }
}
