/* lossscale.h -- the factor on the loss that keeps gradients within fp16.
 * SPDX-License-Identifier: MIT
 *
 * Gradients are those of the loss times the factor, so that few of them are
 * too small for fp16; they are divided by it where they are used
 * (train/optim.h).  A dynamic one is halved when they overflow, and the step
 * is computed again: none is left out, so neither order of pictures, schedule
 * nor averages know of it.  It doubles when so many steps in a row did not
 * overflow.  Micikevicius et al., "Mixed precision training", ICLR 2018,
 * section 3.2 (which goes on with the next step); the usual numbers are 65536
 * to begin with, and 2000 steps.  */
#ifndef ADZE_TRAIN_LOSSSCALE_H
#define ADZE_TRAIN_LOSSSCALE_H

#include <stdint.h>

struct recipe;

struct lossscale {
    double value;
    int64_t every; /* steps until it doubles; 0: it stays as it is */
    int64_t good;  /* steps since it changed */
    int64_t overflows;
};

/* As R begins.  */
struct lossscale lossscale_new(const struct recipe *r);

/* R has gradients multiplied at all.  */
int lossscale_is_on(const struct recipe *r);

/* A step was finite.  It doubles up to 2^24: gradients that leave more room
 * than that need no larger one.  */
void lossscale_good(struct lossscale *s);

/* One was not: halve it, and return 1; 0 if it stays, or would fall below 1,
 * where the factor is not what overflows.  */
int lossscale_halve(struct lossscale *s);

#endif
