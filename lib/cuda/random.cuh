/* random.cuh -- random numbers by their place: base/rng.h.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CUDA_RANDOM_CUH
#define ADZE_CUDA_RANDOM_CUH

#include "cuda/cuda.cuh"

/* Number I of R.  */
static __device__ __forceinline__ uint32_t random_word(const struct rng &r, uint64_t i)
{
    uint32_t c[4] = {(uint32_t)(i / 4), (uint32_t)(i / 4 >> 32), r.stream[0], r.stream[1]};
    uint32_t k0 = r.key[0], k1 = r.key[1];

    for (int round = 0; round < 10; round++) { /* base/rng.c's philox4x32() */
        const uint64_t p0 = (uint64_t)0xD2511F53 * c[0], p1 = (uint64_t)0xCD9E8D57 * c[2];

        c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t)p1;
        c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t)p0;
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    return c[i % 4];
}

#endif
