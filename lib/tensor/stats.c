/* stats.c -- see stats.h.
 * SPDX-License-Identifier: MIT  */
#include "tensor/stats.h"

#include <math.h>

#include "tensor/tensor.h"

enum { CHUNK = 256 };

typedef void add_fn(void *ctx, double x);

/* ADD for every finite element; returns how many are not.  */
static int64_t each(const struct tensor *t, add_fn *add, void *ctx)
{
    const int64_t n = tensor_count(t);
    const char *p = t->data;
    int64_t bad = 0;

    for (int64_t i = 0; i < n; i += CHUNK) {
        const int64_t m = n - i < CHUNK ? n - i : CHUNK;
        double x[CHUNK];

        dtype_convert(DTYPE_F64, x, t->dtype,
                      p + (size_t)i * dtype_size(t->dtype), m);
        for (int64_t k = 0; k < m; k++)
            if (isfinite(x[k]))
                add(ctx, x[k]);
            else
                bad++;
    }
    return bad;
}

static void add_first(void *ctx, double x)
{
    struct stats *s = ctx;

    s->mean += x;
    s->min = x < s->min ? x : s->min;
    s->max = x > s->max ? x : s->max;
}

static void add_square(void *ctx, double x)
{
    struct stats *s = ctx;

    s->std += (x - s->mean) * (x - s->mean);
}

void stats_of(struct stats *s, const struct tensor *t)
{
    double n;

    *s = (struct stats){.min = HUGE_VAL, .max = -HUGE_VAL};
    s->nonfinite = each(t, add_first, s);
    n = (double)(tensor_count(t) - s->nonfinite);
    if (n == 0) {
        s->min = s->max = 0;
        return;
    }
    s->mean /= n;
    each(t, add_square, s);
    s->std = sqrt(s->std / n);
}
