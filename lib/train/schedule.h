/* schedule.h -- the learning rate, and the share of a step in the average of
 * the weights: pure functions of the step.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TRAIN_SCHEDULE_H
#define ADZE_TRAIN_SCHEDULE_H

#include <stdint.h>

struct recipe;

/* The rate of step STEP (from 0) when an epoch has STEPS steps.  Warm-up: the
 * rate rises linearly, (step + 1) / warmup of the peak.  Step: the peak times
 * gamma for each milestone, in epochs, that is reached.  Cosine (Loshchilov,
 * Hutter, SGDR, 2017, without restarts) over the steps behind the warm-up:
 * end + (peak - end) (1 + cos(pi t)) / 2, t = (step - warmup) / (total -
 * warmup).  */
double schedule_lr(const struct recipe *r, int64_t step, int64_t steps);

/* The share that the weights behind step STEP (from 0) have in their average:
 * one less the decay model.ema, which is (1 + step) / (10 + step) as long as
 * that is smaller, as first TensorFlow had it: or the average would keep what
 * training began with for 1 / (1 - decay) steps.  */
double schedule_ema(const struct recipe *r, int64_t step);

#endif
