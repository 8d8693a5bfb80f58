/* observe.h -- the ranges of a network's values, seen while it runs.
 * SPDX-License-Identifier: MIT
 *
 * What pass_quantize() asks for.  Three ways to settle a range:
 *   minmax      everything that was seen;
 *   percentile  all but a share of the elements, cut at both ends alike;
 *   entropy     the limit at which the levels keep most of the information
 *               (least Kullback-Leibler divergence of the histogram of |x|,
 *               zeros left out: Migacz, "8-bit inference with TensorRT",
 *               2017).
 * The last two run over the inputs a second time, to fill a histogram of 2048
 * bins between the extremes of the first.  */
#ifndef ADZE_RUN_OBSERVE_H
#define ADZE_RUN_OBSERVE_H

#include <stdint.h>

struct device;
struct err;
struct graph;
struct pool;
struct range;

enum observe_method { OBSERVE_MINMAX, OBSERVE_PERCENTILE, OBSERVE_ENTROPY };

/* Their names, NULL-ended, in that order.  */
extern const char *const observe_methods[];

struct observe_opts {
    enum observe_method method;
    double percentile; /* 99.99 */
    int64_t samples, batch;
    struct pool *pool;
    /* Fill N <= batch samples from FROM on, a multiple of batch; may be called
     * twice for each.  */
    int (*fill)(void *ctx, int64_t from, int64_t n, float *image,
                struct err *e);
    void *ctx;
    /* Called with samples done and in all; may be NULL.  */
    void (*progress)(void *ctx, int64_t done, int64_t total);
};

/* Set min and max of N ranges, whose names are values of G (f32).  Nodes do
 * not train.  ERR_NONFINITE names a value with an element that is not
 * finite; ERR_USAGE for no samples.  */
int observe_run(struct range *r, int64_t n, const struct graph *g,
                const struct device *d, const struct observe_opts *o,
                struct err *e);

/* The range that METHOD makes of a histogram: COUNT [2048] over [min, max] of
 * *R, which it narrows.  */
enum { OBSERVE_BINS = 2048 };
void observe_narrow(struct range *r, const int64_t *count,
                    const struct observe_opts *o);

#endif
