/* augment_ops.h -- the operators, and what they share.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_DATA_AUGMENT_OPS_H
#define ADZE_DATA_AUGMENT_OPS_H

#include "data/augment.h"

struct err;

extern const struct augment_op augment_pad_crop, augment_random_crop,
    augment_random_resized_crop, augment_resize, augment_center_crop,
    augment_flip, augment_flip_y, augment_rotate, augment_color_jitter,
    augment_grey, augment_random_erasing, augment_cutout, augment_gaussian_blur;

/* Row `p' of an operator's arguments, first in all that have it.  */
#define AUGMENT_P(value)                           \
    {                                              \
        "p", 'f', value, 0, 1, NULL, "probability" \
    }

/* Number I of R, uniform in [LOW, HIGH).  */
double augment_between(const struct rng *r, uint64_t i, double low,
                       double high);
/* True with probability P, by number I of R.  */
int augment_coin(const struct rng *r, uint64_t i, double p);
/* IM becomes TO, which is taken.  */
void augment_replace(struct image *im, struct image *to);

#endif
