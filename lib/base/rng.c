/* rng.c -- see rng.h.
 * SPDX-License-Identifier: MIT  */
#include "base/rng.h"

#include <math.h>

#include "base/err.h"

void philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53 * c0;
        const uint64_t p1 = (uint64_t)0xCD9E8D57 * c2;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9; /* golden ratio */
        k1 += 0xBB67AE85; /* sqrt(3) - 1 */
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The four words at counter (A, B) under KEY.  */
static void block(const uint32_t key[2], uint64_t a, uint64_t b,
                  uint32_t out[4])
{
    const uint32_t ctr[4] = {(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b,
                             (uint32_t)(b >> 32)};

    philox4x32(ctr, key, out);
}

static uint64_t stream_id(const struct rng *r)
{
    return (uint64_t)r->stream[1] << 32 | r->stream[0];
}

static struct rng from_words(const uint32_t w[4])
{
    return (struct rng){{w[0], w[1]}, {w[2], w[3]}};
}

struct rng rng_at(uint64_t seed, enum rng_use use, uint64_t a, uint64_t b)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t w[4], v[4];

    block(key, use, 0, w);
    block(w, a, b, v);
    /* the words that the second key did not use still tell uses apart */
    v[2] ^= w[2];
    v[3] ^= w[3];
    return from_words(v);
}

struct rng rng_sub(const struct rng *r, uint64_t c)
{
    /* counters of numbers end in the stream; here it is inverted, so that a
     * child never equals a block of the parent's numbers */
    uint32_t w[4];

    block(r->key, c, ~stream_id(r), w);
    return from_words(w);
}

uint32_t rng_u32(const struct rng *r, uint64_t i)
{
    uint32_t w[4];

    block(r->key, i / 4, stream_id(r), w);
    return w[i % 4];
}

static float uniform(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

float rng_uniform(const struct rng *r, uint64_t i)
{
    return uniform(rng_u32(r, i));
}

void rng_uniform4(const struct rng *r, uint64_t i, float u[4])
{
    uint32_t w[4];

    block(r->key, i, stream_id(r), w);
    for (int k = 0; k < 4; k++)
        u[k] = uniform(w[k]);
}

double rng_normal(const struct rng *r, uint64_t i)
{
    const double two_pi = 6.283185307179586477;
    uint32_t w[4];
    double u, v;

    block(r->key, i / 2, stream_id(r), w);
    u = ((double)w[i % 2 * 2] + 1) * 0x1p-32; /* (0, 1] */
    v = (double)w[i % 2 * 2 + 1] * 0x1p-32;
    return sqrt(-2 * log(u)) * cos(two_pi * v);
}

uint64_t rng_below(const struct rng *r, uint64_t i, uint64_t n)
{
    uint32_t w[4];
    uint64_t hi, lo;

    if (!n)
        BUG("rng_below(0)");
    /* floor(n * x), x a fraction of 128 bits */
    block(r->key, i, stream_id(r), w);
    hi = (uint64_t)w[0] << 32 | w[1];
    lo = (uint64_t)w[2] << 32 | w[3];
    return (uint64_t)(((unsigned __int128)hi * n +
                       (uint64_t)(((unsigned __int128)lo * n) >> 64)) >>
                      64);
}

/* A keyed function of 32 bits for one round of the network.  */
static uint32_t round_bits(const struct rng *r, unsigned round, uint32_t x)
{
    uint32_t w[4];

    block(r->key, (uint64_t)(round | 0x80000000) << 32 | x, stream_id(r), w);
    return w[0];
}

/* A keyed bijection of the numbers of LEFT + RIGHT bits.  */
static uint64_t feistel(const struct rng *r, uint64_t x, int left, int right)
{
    const uint32_t lmask = (uint32_t)(((uint64_t)1 << left) - 1);
    const uint32_t rmask = (uint32_t)(((uint64_t)1 << right) - 1);
    uint32_t lo = (uint32_t)x & lmask, hi = (uint32_t)(x >> left) & rmask;

    for (unsigned round = 0; round < 10; round += 2) {
        lo ^= round_bits(r, round, hi) & lmask;
        hi ^= round_bits(r, round + 1, lo) & rmask;
    }
    return (uint64_t)hi << left | lo;
}

uint64_t rng_permute(const struct rng *r, uint64_t i, uint64_t n)
{
    int bits = 2;

    if (i >= n)
        BUG("rng_permute(%llu of %llu)", (unsigned long long)i,
            (unsigned long long)n);
    while (bits < 64 && (n - 1) >> bits)
        bits++;
    do
        i = feistel(r, i, bits / 2, bits - bits / 2);
    while (i >= n);
    return i;
}

/* (0, 1] */
static double above_zero(uint32_t word)
{
    return ((double)word + 1) * 0x1p-32;
}

/* The logarithm of a gamma variate of shape A, from block *I of the stream on,
 * which moves behind it.  Below shape 1 it is one of A + 1, times a power of a
 * uniform number that may be far below what a number can hold.  */
static double log_gamma(const struct rng *r, uint64_t *i, double a)
{
    const double d = (a < 1 ? a + 1 : a) - 1.0 / 3, c = 1 / sqrt(9 * d);

    for (;;) {
        const uint64_t at = (*i)++;
        const double z = rng_normal(r, 2 * at), t = 1 + c * z, v = t * t * t;
        const double u = above_zero(rng_u32(r, 4 * at + 2));
        const double power =
            a < 1 ? log(above_zero(rng_u32(r, 4 * at + 3))) / a : 0;

        if (t > 0 && log(u) < z * z / 2 + d - d * v + d * log(v))
            return log(d * v) + power;
    }
}

double rng_beta(const struct rng *r, double a)
{
    uint64_t i = 0;
    const double x = log_gamma(r, &i, a), y = log_gamma(r, &i, a);

    return 1 / (1 + exp(y - x));
}
