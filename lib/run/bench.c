/* bench.c -- see bench.h.
 * SPDX-License-Identifier: MIT  */
#include "run/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "run/plan.h"

const struct bench_opts bench_default = {0.2, 1, 5, 3, 10};

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The Q quantile of N sorted numbers, the nearest rank.  */
static double quantile(const double *s, int n, double q)
{
    const int i = (int)ceil(q * n) - 1;

    return s[i < 0 ? 0 : i];
}

static double median(const double *s, int n)
{
    double *copy = xcalloc((size_t)n, sizeof *copy), m;

    memcpy(copy, s, (size_t)n * sizeof *copy);
    qsort(copy, (size_t)n, sizeof *copy, ascending);
    m = quantile(copy, n, 0.5);
    free(copy);
    return m;
}

static int settled(const double *s, int n)
{
    const double a = median(s, n / 2), b = median(s + n / 2, n - n / 2);

    return fabs(a - b) <= 0.02 * a;
}

static int timed(bench_fn *f, void *ctx, double *seconds, struct err *e)
{
    const double start = clock_now();
    const int bad = f(ctx, e);

    *seconds = clock_now() - start;
    return bad;
}

static int warm_up(bench_fn *f, void *ctx, const struct bench_opts *o,
                   struct bench_result *r, struct err *e)
{
    const double start = clock_now();

    for (int i = 0; i < o->warm_runs || clock_now() - start < o->warmup_s;
         i++) {
        double s;

        if (timed(f, ctx, &s, e) < 0)
            return -1;
        if (!r->warm++)
            r->first_s = s;
    }
    return 0;
}

static void summarise(struct bench_result *r, double *s, int n)
{
    qsort(s, (size_t)n, sizeof *s, ascending);
    r->runs = n;
    r->min_s = s[0];
    r->median_s = quantile(s, n, 0.5);
    r->p90_s = quantile(s, n, 0.9);
    r->p99_s = quantile(s, n, 0.99);
    for (int i = 0; i < n; i++)
        r->mean_s += s[i] / n;
}

int bench_run(bench_fn *f, void *ctx, const struct bench_opts *o,
              struct bench_result *r, struct err *e)
{
    double *s = NULL, start, spent = 0;
    int n = 0, cap = 0, look = o->runs;

    memset(r, 0, sizeof *r);
    if (warm_up(f, ctx, o, r, e) < 0)
        return -1;
    start = clock_now();
    while (n < o->runs || spent < o->min_s ||
           (spent < o->max_s && !r->stable)) {
        ARRAY_GROW(s, n, cap);
        if (timed(f, ctx, &s[n++], e) < 0) {
            free(s);
            return -1;
        }
        spent = clock_now() - start;
        if (n >= look && n > 1 && spent >= o->min_s) {
            r->stable = settled(s, n);
            look = n + n / 5;
        }
    }
    summarise(r, s, n);
    free(s);
    return 0;
}

static int run_plan(void *ctx, struct err *e)
{
    return plan_run(ctx, NULL, e);
}

int bench_plan(struct plan *p, const struct bench_opts *o,
               struct bench_result *r, struct err *e)
{
    return bench_run(run_plan, p, o, r, e);
}

double bench_peak_memory(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss * 1024;
}
