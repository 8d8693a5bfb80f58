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
#elif defined(__aarch64__)
    if (features & CPU_NEON)
        return peak_run_neon;
#endif
    (void)features;
    return peak_run_any;
}

/* Operations a second of one loop over all threads.  */
static double once(struct job *j, struct pool *p, double *seconds)
{
    const int64_t threads = pool_threads(p);
    const double start = clock_now();
    double flop = 0;

    pool_run(p, threads, work, j);
    *seconds = clock_now() - start;
    for (int64_t i = 0; i < threads; i++)
        flop += j->flop[i];
    return flop / *seconds;
}

/* The best of RUNS runs of at least LENGTH seconds.  */
static double measure(run_fn *run, struct pool *p, double length, int runs)
{
    struct job *j = xcalloc(1, sizeof *j);
    double best = 0, seconds = 0;

    j->run = run;
    for (j->n = 1000; seconds < length; j->n *= 2)
        once(j, p, &seconds);
    for (int i = 0; i < runs; i++) {
        const double g = once(j, p, &seconds);

        best = g > best ? g : best;
    }
    free(j);
    return best;
}

enum { RUNS = 7 };
static const double run_seconds = 0.02;

static double f32(unsigned features, struct pool *p)
{
    return measure(choose(features), p, run_seconds, RUNS);
}

static double bf16(unsigned features, struct pool *p)
{
#if defined(__x86_64__)
    if (features & CPU_AVX512BF16)
        return measure(peak_run_bf16, p, run_seconds, RUNS);
#endif
    (void)features;
    (void)p;
    return 0;
}

/* Without VNNI weights of 7 bits go fastest; where 8 bits have no instruction of
 * their own they go no faster than floats.  */
static run_fn *choose_8(unsigned features)
{
#if defined(__x86_64__)
    if (features & CPU_VNNI)
        return peak_8_run_vnni;
    if (features & CPU_AVX512)
        return peak_7_run_avx512;
    if (features & CPU_AVXVNNI)
        return peak_8_run_avxvnni;
    if (features & CPU_AVX2)
        return peak_7_run_avx2;
#endif
    return choose(features);
}

static double i8(unsigned features, struct pool *p)
{
    return measure(choose_8(features), p, run_seconds, RUNS);
}

/* ---- copying ---- */

struct copy {
    char *to, *from;
    size_t bytes; /* of one thread */
};

static void copy_part(void *ctx, int64_t task, int thread)
{
    const struct copy *c = ctx;
    const size_t at = (size_t)task * c->bytes;

    (void)thread;
    memcpy(c->to + at, c->from + at, c->bytes);
}

static double copy_rate(unsigned features, struct pool *p)
{
    enum { COPIED = 96 << 20 };
    const int threads = pool_threads(p);
    struct copy c = {malloc(COPIED), malloc(COPIED), COPIED / (size_t)threads};
    double best = 0;

    (void)features;
    if (c.to && c.from)
        memset(c.from, 1, COPIED); /* pages that are there */
    for (int i = 0; c.to && c.from && i <= RUNS; i++) {
        const double start = clock_now();
        double rate;

        pool_run(p, threads, copy_part, &c);
        rate = 2.0 * (double)c.bytes * threads / (clock_now() - start);
        best = i && rate > best ? rate : best; /* the first makes pages */
    }
    free(c.to);
    free(c.from);
    return best;
}

double peak_per_second(unsigned features, enum peak what, struct pool *p)
{
    static double (*const rate[PEAKS])(unsigned, struct pool *) = {
        [PEAK_COPY] = copy_rate,
        [PEAK_F32] = f32,
        [PEAK_BF16] = bf16,
        [PEAK_I8] = i8,
    };

    return rate[what] ? rate[what](features, p) : 0;
}

/* In short turns, so that a change of the clock concerns both; where the
 * instruction is fast it is twice as fast.  */
int peak_has_bf16(unsigned features)
{
#if defined(__x86_64__)
    enum { TURNS = 4, SHORT = 2 };
    const double length = 5e-4;
    double wide = 0, narrow = 0;

    if (!(features & CPU_AVX512BF16))
        return 0;
    for (int i = 0; i < TURNS; i++) {
        const double w = measure(peak_run_avx512, NULL, length, SHORT);
        const double n = measure(peak_run_bf16, NULL, length, SHORT);

        wide = w > wide ? w : wide;
        narrow = n > narrow ? n : narrow;
    }
    return narrow > 1.3 * wide;
#else
    (void)features;
    return 0;
#endif
}
