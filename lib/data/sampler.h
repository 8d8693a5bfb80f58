/* sampler.h -- the order of samples: a function of (seed, epoch).
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_DATA_SAMPLER_H
#define ADZE_DATA_SAMPLER_H

#include <stdint.h>

struct sampler {
    int64_t n;     /* samples in the set */
    int64_t batch; /* samples a step */
    int shuffle;   /* another order each epoch, as training takes them */
    int keep_last; /* a smaller last batch is kept, else dropped; one of 1 is
                      dropped with SHUFFLE: no variance for batch norm */
    uint64_t seed;
};

int64_t sampler_steps(const struct sampler *s); /* per epoch */
/* The index of the sample at SLOT of step STEP (within the epoch), or -1 for
 * a slot beyond a last batch that is not full.  */
int64_t sampler_at(const struct sampler *s, int64_t epoch, int64_t step,
                   int64_t slot);

#endif
