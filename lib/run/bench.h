/* bench.h -- how long something takes: warmed up, repeated until stable.
 * SPDX-License-Identifier: MIT
 *
 * Times on shared machines vary by a factor of two: the minimum says what the
 * program needs, the median and the percentiles what the machine gave.  */
#ifndef ADZE_RUN_BENCH_H
#define ADZE_RUN_BENCH_H

struct err;
struct plan;

struct bench_opts {
    double warmup_s; /* at least, */
    double min_s;    /* measure at least so long, */
    double max_s;    /* go on until the median of the second half is within
                        2 % of the first half's, but not longer than this */
    int warm_runs;   /* and at least so many */
    int runs;        /* and at least so many, 1 or more */
};

struct bench_result {
    int warm, runs; /* warming up, and measured */
    int stable;     /* ended by the 2 % rule */
    double first_s; /* the first run of all, 0 if none warmed up */
    double min_s, median_s, p90_s, p99_s, mean_s;
};

extern const struct bench_opts bench_default; /* 0.2 s, 1 s, 5 s, 3, 10 */

/* What is timed: does it once.  */
typedef int bench_fn(void *ctx, struct err *e);

/* -1 as soon as F fails.  */
int bench_run(bench_fn *f, void *ctx, const struct bench_opts *o,
              struct bench_result *r, struct err *e);

/* The same of plan_run().  */
int bench_plan(struct plan *p, const struct bench_opts *o,
               struct bench_result *r, struct err *e);

/* Largest resident memory of this process so far, bytes.  */
double bench_peak_memory(void);

#endif
