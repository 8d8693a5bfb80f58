/* bench.h -- how long a plan takes: warmed up, repeated until stable.
 * SPDX-License-Identifier: MIT
 *
 * Times on shared machines vary by a factor of two: the minimum says what the
 * program needs, the median and the percentiles what the machine gave.  */
#ifndef ADZE_RUN_BENCH_H
#define ADZE_RUN_BENCH_H

struct err;
struct plan;

struct bench_opts {
    double warmup_s; /* at least, and at least 3 runs */
    double min_s;    /* measure at least so long, and at least 10 runs, */
    double max_s;    /* go on until the median of the second half is within
                        2 % of the first half's, but not longer than this */
};

struct bench_result {
    int runs;
    int stable;     /* ended by the 2 % rule */
    double first_s; /* the first run of all */
    double min_s, median_s, p90_s, p99_s, mean_s;
};

extern const struct bench_opts bench_default; /* 0.2 s, 1 s, 5 s */

int bench_plan(struct plan *p, const struct bench_opts *o,
               struct bench_result *r, struct err *e);

/* Largest resident memory of this process so far, bytes.  */
double bench_peak_memory(void);

#endif
