/* sampler.c -- see sampler.h.
 * SPDX-License-Identifier: MIT  */
#include "data/sampler.h"

#include "base/rng.h"

int64_t sampler_steps(const struct sampler *s)
{
    const int64_t full = s->n / s->batch, rest = s->n % s->batch;

    /* batch norm has no variance over one sample */
    if (!rest || !s->keep_last || (rest == 1 && s->shuffle))
        return full;
    return full + 1;
}

int64_t sampler_at(const struct sampler *s, int64_t epoch, int64_t step,
                   int64_t slot)
{
    const int64_t i = step * s->batch + slot;
    struct rng r;

    if (i >= s->n)
        return -1;
    if (!s->shuffle)
        return i;
    r = rng_at(s->seed, RNG_SHUFFLE, (uint64_t)epoch, 0);
    return (int64_t)rng_permute(&r, (uint64_t)i, (uint64_t)s->n);
}
