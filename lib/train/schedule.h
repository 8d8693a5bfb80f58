/* schedule.h -- the learning rate, a pure function of the step.
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

#endif
