/* tune.c -- see tune.h.
 * SPDX-License-Identifier: MIT  */
#include "run/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

/* Turns at least and at most; the least that a sample takes, in seconds, so
 * that neither the clock nor a task switch decides.  */
enum { FEWEST = 4, MOST = 1000 };
static const double sample_s = 2e-3;

/* Promising.  */
#define HALF_GAIN (1 + (TUNE_GAIN - 1) / 2)

struct search {
    const struct tune_target *g;
    const struct tune_opts *o;
    struct tuning t; /* the best so far, */
    void *bound;     /* and bound with it */
};

/* ---- two that take turns ---- */

struct turns {
    double a[MOST], ratio[MOST]; /* seconds of A; those of A over B's */
    int n, runs;                 /* of a sample */
};

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double quantile(const double *v, int n, double q)
{
    double sorted[MOST];

    memcpy(sorted, v, (size_t)n * sizeof *v);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    return sorted[(int)(q * (n - 1) + 0.5)];
}

static int sample(const struct search *s, void *bound, int runs, double *each,
                  struct err *e)
{
    const double start = clock_now();

    for (int i = 0; i < runs; i++)
        if (s->g->once(bound, e) < 0)
            return -1;
    *each = (clock_now() - start) / runs;
    return 0;
}

/* Both once, to warm up, and how many runs make a sample.  */
static int warm_up(const struct search *s, void *b, struct turns *t,
                   struct err *e)
{
    double first, each;

    t->n = 0;
    if (sample(s, s->bound, 1, &first, e) < 0 ||
        sample(s, b, 1, &first, e) < 0 || sample(s, s->bound, 1, &each, e) < 0)
        return -1;
    t->runs = each < sample_s ? (int)ceil(sample_s / fmax(each, 1e-7)) : 1;
    return 0;
}

static int take_turns(const struct search *s, void *b, double seconds,
                      struct turns *t, struct err *e)
{
    const double start = clock_now();
    double each;

    while (t->n < MOST &&
           (t->n % FEWEST || !t->n || clock_now() - start < seconds)) {
        if (sample(s, s->bound, t->runs, &t->a[t->n], e) < 0 ||
            sample(s, b, t->runs, &each, e) < 0)
            return -1;
        t->ratio[t->n] = t->a[t->n] / each;
        t->n++;
    }
    return 0;
}

/* The median of the ratios is GAIN, and two and a half of its standard
 * errors above 1: an error is 1.25 deviations over the root of N, a deviation
 * the quartiles' distance over 1.35.  */
static int is_gain(const struct turns *t, double gain)
{
    const double median = quantile(t->ratio, t->n, 0.5);
    const double apart =
        quantile(t->ratio, t->n, 0.75) - quantile(t->ratio, t->n, 0.25);

    return median >= gain && median - 2.5 * 0.93 * apart / sqrt(t->n) > 1;
}

/* B against the best so far: a quarter of the time, all of it where that is
 * promising, and all of it again where it is a gain.  */
static int compare(const struct search *s, void *b, double gain,
                   struct tune_trial *r, struct err *e)
{
    static const double part[] = {0.25, 0.75, 1};
    struct turns *t = xcalloc(1, sizeof *t);
    int bad = warm_up(s, b, t, e);

    r->taken = 1;
    for (size_t i = 0; i < COUNT(part) && !bad && r->taken; i++) {
        if (i == 2)
            t->n = 0;
        bad = take_turns(s, b, part[i] * s->o->seconds, t, e);
        if (bad)
            break;
        r->ratio = quantile(t->ratio, t->n, 0.5);
        r->seconds = quantile(t->a, t->n, 0.5);
        r->taken = i ? is_gain(t, gain) : r->ratio > HALF_GAIN;
    }
    free(t);
    return bad;
}

/* ---- one constant ---- */

/* Try R's constant at its value; *BOUND becomes what runs with it if it is
 * taken and the best of those tried before.  */
static int try_value(struct search *s, struct tune_trial *r, double best,
                     void **bound, struct err *e)
{
    const int chooses = tuning_rows[r->constant].effect == TUNE_CHOICE;
    struct tuning t = s->t;
    void *b;
    int bad = 0;

    t.value[r->constant] = r->value;
    b = s->g->bind(s->g->ctx, &t, e);
    if (!b)
        return -1;
    if (chooses && s->g->same(s->bound, b))
        r->taken = 0;
    else if (!(bad = compare(s, b, TUNE_GAIN, r, e)))
        s->o->tried(s->o->ctx, r);
    if (!bad && r->taken && r->ratio > best) {
        void *was = *bound;

        *bound = b;
        b = was;
    }
    if (b)
        s->g->release(b);
    return bad;
}

static int try_constant(struct search *s, int i, struct err *e)
{
    static const double times[] = {0.5, 0.25, 2, 4};
    const struct tuning_row *w = &tuning_rows[i];
    struct tune_trial best = {.constant = i, .ratio = 1};
    void *bound = NULL;
    int64_t last = -1;

    for (size_t k = 0; k < COUNT(times); k++) {
        struct tune_trial r = {.constant = i};
        const double v = times[k] * (double)s->t.value[i];

        r.value = (int64_t)fmin(fmax(v, (double)w->min), (double)w->max);
        if (r.value == s->t.value[i] || r.value == last)
            continue;
        last = r.value;
        if (try_value(s, &r, best.ratio, &bound, e) < 0) {
            if (bound)
                s->g->release(bound);
            return -1;
        }
        if (r.taken && r.ratio > best.ratio)
            best = r;
    }
    if (bound) {
        s->g->release(s->bound);
        s->bound = bound;
        s->t.value[i] = best.value;
    }
    return 0;
}

/* ---- all ---- */

/* All that was taken against START: half a gain will do for what was found to
 * be one twice.  */
static int confirm(struct search *s, const struct tuning *start, struct err *e)
{
    struct tune_trial r = {.constant = -1};
    void *found = s->bound;
    int bad;

    s->bound = s->g->bind(s->g->ctx, start, e);
    bad = s->bound ? compare(s, found, HALF_GAIN, &r, e) : -1;
    s->g->release(found);
    if (!bad && !r.taken)
        s->t = *start;
    if (!bad)
        s->o->tried(s->o->ctx, &r);
    return bad;
}

int tune_search(const struct tune_target *g, const struct tune_opts *o,
                struct tuning *t, struct err *e)
{
    struct search s = {g, o, *t, g->bind(g->ctx, t, e)};
    int bad = s.bound ? 0 : -1;

    for (int i = 0; i < TUNE_N && !bad; i++)
        if (!tuning_rows[i].training || o->training)
            bad = try_constant(&s, i, e);
    if (!bad && memcmp(&s.t, t, sizeof *t) != 0)
        bad = confirm(&s, t, e);
    if (s.bound)
        g->release(s.bound);
    if (!bad)
        *t = s.t;
    return bad;
}
