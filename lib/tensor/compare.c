/* compare.c -- see compare.h.
 * SPDX-License-Identifier: MIT  */
#include "tensor/compare.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "tensor/tensor.h"

enum { CHUNK = 1024 };

/* The place of V on a line on which neighbouring f32 are one apart.  */
static int64_t ulp_place(double v)
{
    int32_t x;

    dtype_convert(DTYPE_F32, &x, DTYPE_F64, &v, 1);
    return x < 0 ? -(int64_t)(x & INT32_MAX) : x;
}

/* One of A, B or both is not finite: the same thing?  */
static int same_kind(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b;
}

static void add_nonfinite(struct compare *c, double a, double b, int64_t at)
{
    if (same_kind(a, b))
        return;
    c->nonfinite++;
    if (c->max_abs < INFINITY)
        c->at = at;
    c->max_abs = c->max_ulp = c->sum_diff = INFINITY;
}

static void add_pair(struct compare *c, double a, double b, int64_t at)
{
    const double d = fabs(a - b);

    if (!isfinite(a) || !isfinite(b)) {
        add_nonfinite(c, a, b, at);
        return;
    }
    c->scale = fmax(c->scale, fabs(b));
    c->sum_ref += b * b;
    if (d == 0)
        return;
    c->sum_diff += d * d;
    c->max_ulp = fmax(c->max_ulp, fabs((double)(ulp_place(a) - ulp_place(b))));
    if (d > c->max_abs) {
        c->max_abs = d;
        c->at = at;
    }
}

/* X / Y for a difference X and its reference Y.  */
static double ratio(double x, double y)
{
    return x == 0 ? 0 : y == 0 || isinf(x) ? INFINITY : x / y;
}

static void finish(struct compare *c)
{
    c->max_rel = ratio(c->max_abs, c->scale);
    c->nmse = ratio(c->sum_diff, c->sum_ref);
}

int compare_tensors(struct compare *c, const struct tensor *a,
                    const struct tensor *b, struct err *e)
{
    double x[CHUNK], y[CHUNK];

    *c = (struct compare){0};
    if (!shape_equal(&a->shape, &b->shape))
        return err_set(e, ERR_SHAPE, "shapes differ: %s and %s", ST(&a->shape),
                       ST(&b->shape));
    c->n = tensor_count(a);
    for (int64_t i = 0; i < c->n; i += CHUNK) {
        const int64_t n = c->n - i < CHUNK ? c->n - i : CHUNK;

        dtype_convert(DTYPE_F64, x, a->dtype,
                      (char *)a->data + (size_t)i * dtype_size(a->dtype), n);
        dtype_convert(DTYPE_F64, y, b->dtype,
                      (char *)b->data + (size_t)i * dtype_size(b->dtype), n);
        for (int64_t k = 0; k < n; k++)
            add_pair(c, x[k], y[k], i + k);
    }
    finish(c);
    return 0;
}
