/* rng.h -- counter-based random numbers: a value is a function of a seed and
 * a position, never of order, time or thread.
 * SPDX-License-Identifier: MIT
 *
 * Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3", SC 2011.  A struct rng names a stream; drawing number I
 * of it is a pure function.
 *
 *     const struct rng r = rng_at(seed, RNG_DROPOUT, node, step);
 *     for (i = 0; i < n; i++)
 *         mask[i] = rng_uniform(&r, i) >= p;  */
#ifndef ADZE_BASE_RNG_H
#define ADZE_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint32_t key[2], stream[2];
};

/* The block of four words at counter CTR under KEY.  */
void philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4]);

/* What the numbers are for: equal seeds never share a stream.  */
enum rng_use {
    RNG_INIT = 1,
    RNG_SHUFFLE,
    RNG_AUGMENT,
    RNG_DROPOUT = 5,
    RNG_SYNTH,
    RNG_TEST,
    RNG_BENCH,
    RNG_MIX
};

/* The stream for USE at position (A, B) under SEED; A and B are, for example,
 * epoch and sample, or a name's hash and the step.  Derived by Philox itself,
 * so that different (use, a, b) give independent streams.  */
struct rng rng_at(uint64_t seed, enum rng_use use, uint64_t a, uint64_t b);

/* A stream derived from R, for one more coordinate.  */
struct rng rng_sub(const struct rng *r, uint64_t c);

/* Number I of the stream: 32 bits; [0,1) with 24 bits; N(0,1) by Box-Muller
 * in double from two words of one block; an integer in [0, N) without bias
 * beyond 2^-32 (N > 0).  */
uint32_t rng_u32(const struct rng *r, uint64_t i);
float rng_uniform(const struct rng *r, uint64_t i);
double rng_normal(const struct rng *r, uint64_t i);
uint64_t rng_below(const struct rng *r, uint64_t i, uint64_t n);

/* A number from Beta(A, A) in [0, 1], A > 0; it takes the whole of a stream.
 * By gamma variates, as x / (x + y): Marsaglia and Tsang, "A simple method for
 * generating gamma variables", ACM TOMS 2000.  */
double rng_beta(const struct rng *r, double a);

/* rng_uniform() of 4 I to 4 I + 3, for the price of one.  */
void rng_uniform4(const struct rng *r, uint64_t i, float u[4]);

/* Position I of a random permutation of [0, N): a keyed bijection evaluated
 * in O(1) memory (Feistel network with cycle walking).  */
uint64_t rng_permute(const struct rng *r, uint64_t i, uint64_t n);

#endif
