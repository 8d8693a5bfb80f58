/* observe.c -- see observe.h.
 * SPDX-License-Identifier: MIT  */
#include "run/observe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"

const char *const observe_methods[] = {"minmax", "percentile", "entropy", NULL};

/* ---- narrowing ---- */

static double edge(const struct range *r, int64_t bin)
{
    return r->min + (r->max - r->min) * (double)bin / OBSERVE_BINS;
}

static void by_percentile(struct range *r, const int64_t *count, double share)
{
    int64_t all = 0, cut, sum = 0, lo = 0, hi = OBSERVE_BINS;
    const struct range whole = *r;

    for (int i = 0; i < OBSERVE_BINS; i++)
        all += count[i];
    cut = (int64_t)floor((double)all * (1 - share));
    while (lo < hi && sum + count[lo] <= cut)
        sum += count[lo++];
    sum = 0;
    while (hi > lo && sum + count[hi - 1] <= cut)
        sum += count[--hi];
    r->min = edge(&whole, lo);
    r->max = edge(&whole, hi);
}

/* Of the entropy: half of the 256 levels, for one sign; bins between the limits
 * that are tried, as each costs a walk over all bins below it.  */
enum { LEVELS = 128, STEP = 16 };

/* The histogram of |x| over [0, most], from that of x.  */
static void magnitudes(double *to, const struct range *r, const int64_t *count,
                       double most)
{
    memset(to, 0, OBSERVE_BINS * sizeof *to);
    for (int64_t i = 0; i < OBSERVE_BINS; i++) {
        const double mid = fabs(edge(r, i) + edge(r, i + 1)) / 2;
        int64_t at = (int64_t)(mid / most * OBSERVE_BINS);

        at = at < OBSERVE_BINS ? at : OBSERVE_BINS - 1;
        to[at] += (double)count[i];
    }
}

/* Divergence of P, the first N bins with what lies behind added to the last,
 * from its form in so many levels; each level spreads over the bins that are
 * not empty.  Where the last bin is empty its form has nothing of what lies
 * behind: `nothing' stands for that, as the divergence would be infinite.  */
static double divergence(const double *h, int64_t n, int64_t levels,
                         double behind)
{
    const double nothing = 1e-12;
    double sum_p = behind, sum_q = 0, d = 0;
    double q[OBSERVE_BINS];

    for (int64_t l = 0; l < levels; l++) {
        const int64_t from = l * n / levels, to = (l + 1) * n / levels;
        double sum = 0;
        int64_t full = 0;

        for (int64_t i = from; i < to; i++) {
            sum += h[i];
            full += h[i] > 0;
        }
        for (int64_t i = from; i < to; i++)
            q[i] = h[i] > 0 ? sum / (double)full : 0;
        sum_p += sum;
        sum_q += sum;
    }
    for (int64_t i = 0; i < n; i++) {
        const double p = h[i] + (i == n - 1 ? behind : 0);

        if (p > 0)
            d += p / sum_p *
                 log(p / sum_p / (q[i] > 0 ? q[i] / sum_q : nothing));
    }
    return d;
}

static void by_entropy(struct range *r, const int64_t *count)
{
    const double most = fmax(fabs(r->min), fabs(r->max));
    double h[OBSERVE_BINS], behind = 0, best = INFINITY, limit = most;
    int64_t levels = LEVELS;

    if (!(most > 0))
        return;
    /* On one side of 0 there are more of the 256 than half.  */
    if (r->max - r->min < 2 * most)
        levels = (int64_t)fmin(255, 255 * most / (r->max - r->min));
    magnitudes(h, r, count, most);
    for (int64_t n = OBSERVE_BINS; n >= levels; n -= STEP) {
        const double d = divergence(h, n, levels, behind);

        if (d < best) {
            best = d;
            limit = most * (double)n / OBSERVE_BINS;
        }
        for (int64_t i = n - STEP; i < n; i++)
            behind += h[i];
    }
    r->min = fmax(r->min, -limit);
    r->max = fmin(r->max, limit);
}

void observe_narrow(struct range *r, const int64_t *count,
                    const struct observe_opts *o)
{
    if (o->method == OBSERVE_PERCENTILE)
        by_percentile(r, count, o->percentile / 100);
    else if (o->method == OBSERVE_ENTROPY)
        by_entropy(r, count);
}

/* ---- running ---- */

struct observer {
    struct range *r;
    int64_t n;
    int64_t *count; /* [n][bins], in the second round */
    struct plan *p;
    const struct observe_opts *o;
    int64_t done, total;
};

static int see(struct observer *ob, int64_t k, const float *x, int64_t n,
               struct err *e)
{
    struct range *r = &ob->r[k];

    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return err_set(e, ERR_NONFINITE, "value '%s' holds %g", Q(r->name),
                           (double)x[i]);
        r->min = x[i] < r->min ? x[i] : r->min;
        r->max = x[i] > r->max ? x[i] : r->max;
    }
    return 0;
}

static void tally(struct observer *ob, int64_t k, const float *x, int64_t n)
{
    const struct range *r = &ob->r[k];
    const double width = (r->max - r->min) / OBSERVE_BINS;
    int64_t *count = ob->count + k * OBSERVE_BINS;

    for (int64_t i = 0; i < n; i++) {
        /* Zeros of a relu are exact at every scale: they say nothing about
         * where to cut, and by their number they would say it loudest.  */
        if (x[i] == 0 && ob->o->method == OBSERVE_ENTROPY)
            continue;
        int64_t at = width > 0 ? (int64_t)((x[i] - r->min) / width) : 0;

        at = at < OBSERVE_BINS ? at : OBSERVE_BINS - 1;
        count[at]++;
    }
}

/* One batch of N samples: all values.  */
static int look(struct observer *ob, int64_t n, struct err *e)
{
    for (int64_t k = 0; k < ob->n; k++) {
        const struct tensor *t = plan_value(ob->p, ob->r[k].name);
        const int64_t each = tensor_count(t) / ob->o->batch;

        if (ob->count)
            tally(ob, k, t->data, n * each);
        else if (see(ob, k, t->data, n * each, e) < 0)
            return -1;
    }
    return 0;
}

static int sweep(struct observer *ob, struct err *e)
{
    const struct observe_opts *o = ob->o;

    for (int64_t from = 0; from < o->samples; from += o->batch) {
        const int64_t left = o->samples - from;
        const int64_t n = left < o->batch ? left : o->batch;

        if (o->fill(o->ctx, from, n, plan_value(ob->p, "image")->data, e) < 0 ||
            plan_run(ob->p, NULL, e) < 0 || look(ob, n, e) < 0)
            return -1;
        ob->done += n;
        if (o->progress)
            o->progress(o->ctx, ob->done, ob->total);
    }
    return 0;
}

static int check_names(const struct range *r, int64_t n, const struct graph *g,
                       struct err *e)
{
    for (int64_t i = 0; i < n; i++) {
        const struct value *v = graph_value(g, r[i].name);

        if (!v || v->dtype != DTYPE_F32 || !v->shape.batch)
            return err_set(e, ERR_USAGE, "the network has no value '%s'",
                           Q(r[i].name));
    }
    return 0;
}

static int both_sweeps(struct observer *ob, struct err *e)
{
    const int again = ob->o->method != OBSERVE_MINMAX;

    ob->total = ob->o->samples * (1 + again);
    for (int64_t i = 0; i < ob->n; i++) {
        ob->r[i].min = INFINITY;
        ob->r[i].max = -INFINITY;
    }
    if (sweep(ob, e) < 0)
        return -1;
    if (!again)
        return 0;
    ob->count = xcalloc((size_t)ob->n * OBSERVE_BINS + 1, sizeof *ob->count);
    if (sweep(ob, e) < 0)
        return -1;
    for (int64_t i = 0; i < ob->n; i++)
        observe_narrow(&ob->r[i], ob->count + i * OBSERVE_BINS, ob->o);
    return 0;
}

int observe_run(struct range *r, int64_t n, const struct graph *g,
                const struct device *d, const struct observe_opts *o,
                struct err *e)
{
    const struct plan_opts po = {
        .batch = o->batch, .pool = o->pool, .keep_values = 1};
    struct observer ob = {.r = r, .n = n, .o = o};
    struct params *ps;
    int bad;

    if (o->samples < 1)
        return err_set(e, ERR_USAGE, "no sample to observe");
    if (check_names(r, n, g, e) < 0)
        return -1;
    ps = params_share(g, d, e);
    ob.p = ps ? plan_new(g, d, ps, &po, e) : NULL;
    bad = !ob.p || both_sweeps(&ob, e) < 0;
    free(ob.count);
    plan_free(ob.p);
    params_free(ps);
    return bad ? -1 : 0;
}
