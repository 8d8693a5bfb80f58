/* stats.h -- what the numbers of a tensor are like.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TENSOR_STATS_H
#define ADZE_TENSOR_STATS_H

#include <stdint.h>

struct tensor;

struct stats {
    double mean, std, min, max; /* of the finite elements, 0 if none are */
    int64_t nonfinite;
};

/* STD is that of the elements themselves (divided by their number).  */
void stats_of(struct stats *s, const struct tensor *t);

#endif
