/* nearest.h -- how well features tell classes apart, without a classifier.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TRAIN_NEAREST_H
#define ADZE_TRAIN_NEAREST_H

#include <stdint.h>

struct pool;
struct tensor;

/* How many of the samples X [samples, width] f32 have the mean of their class
 * nearer than that of any other, by Euclid; of classes as far away the first
 * counts.  LABEL [samples] in [0, CLASSES); a class may have no sample.
 * Sums are of doubles in a fixed order.  */
int64_t nearest_mean(const struct tensor *x, const int64_t *label,
                     int64_t classes, struct pool *pool);

#endif
