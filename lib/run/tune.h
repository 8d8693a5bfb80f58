/* tune.h -- other constants of the planner, tried one at a time.
 * SPDX-License-Identifier: MIT
 *
 * Each constant is tried at a quarter, half, twice and four times its value
 * (within its range): what runs with it takes turns with what runs without, A
 * B A B, as machines change their speed; what counts is the median of the
 * ratios.  A value is taken where it gains GAIN or more, and more than the
 * ratios scatter, twice in a row; then the next constant is tried beside it.
 * In the end all that was taken is measured once more against the start, and
 * must gain half of that.  */
#ifndef ADZE_RUN_TUNE_H
#define ADZE_RUN_TUNE_H

#include <stdint.h>

#include "graph/tuning.h"

struct err;

#define TUNE_GAIN 1.02

/* What is tuned.  */
struct tune_target {
    void *ctx;
    /* Made ready to run with constants T; NULL on error.  */
    void *(*bind)(void *ctx, const struct tuning *t, struct err *e);
    int (*once)(void *bound, struct err *e);
    /* The same kernels run: a constant that only chooses them is not measured
     * then.  */
    int (*same)(const void *a, const void *b);
    void (*release)(void *bound);
};

struct tune_trial {
    int constant; /* -1: all that were taken, against the start */
    int64_t value;
    double seconds; /* of a run without: the median */
    double ratio;   /* how many times as fast it is with it: the median */
    int taken;
};

struct tune_opts {
    double seconds; /* of a trial, about; one that is not promising is ended
                       after a quarter of it */
    int training;   /* also the constants of training */
    void (*tried)(void *ctx, const struct tune_trial *t);
    void *ctx;
};

/* Change T to what was found; as it was if that is no gain.  */
int tune_search(const struct tune_target *g, const struct tune_opts *o,
                struct tuning *t, struct err *e);

#endif
