/* peak.c -- see peak.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/peak.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpuinfo.h"
#include "base/mem.h"
#include "base/thread.h"

typedef double run_fn(long n, float *sink);

struct job {
    run_fn *run;
    long n;
    double flop[1024];
    float sink[1024];
};

static void work(void *ctx, int64_t task, int thread)
{
    struct job *j = ctx;

    (void)thread;
    j->flop[task] = j->run(j->n, &j->sink[task]);
}

static run_fn *choose(unsigned features)
{
#if defined(__x86_64__)
    if (features & CPU_AVX512)
        return peak_run_avx512;
    if (features & CPU_AVX2)
        return peak_run_avx2;
#endif
    (void)features;
    return peak_run_any;
}

/* GFLOP/s of one loop over all threads.  */
static double once(struct job *j, struct pool *p, double *seconds)
{
    const int64_t threads = pool_threads(p);
    const double start = clock_now();
    double flop = 0;

    pool_run(p, threads, work, j);
    *seconds = clock_now() - start;
    for (int64_t i = 0; i < threads; i++)
        flop += j->flop[i];
    return flop / *seconds * 1e-9;
}

double peak_gflops(unsigned features, struct pool *p)
{
    struct job *j = xcalloc(1, sizeof *j);
    double best = 0, seconds = 0;

    j->run = choose(features);
    for (j->n = 1000; seconds < 0.02; j->n *= 2)
        once(j, p, &seconds);
    for (int i = 0; i < 7; i++) {
        const double g = once(j, p, &seconds);

        best = g > best ? g : best;
    }
    free(j);
    return best;
}

double peak_copy(void)
{
    enum { BYTES = 64 << 20, RUNS = 5 };
    char *a = xcalloc(1, BYTES), *b = xcalloc(1, BYTES);
    double best = 0;

    for (int i = 0; i < RUNS; i++) {
        const double start = clock_now();

        memcpy(i % 2 ? a : b, i % 2 ? b : a, BYTES);
        a[i]++;
        const double rate = 2.0 * BYTES / (clock_now() - start);

        best = rate > best ? rate : best;
    }
    free(a);
    free(b);
    return best;
}
