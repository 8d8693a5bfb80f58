/* pairs.h -- slots that are two numbers of bf16 each, whose products one
 * instruction adds; for files of the instruction set that has it.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_PAIRS_H
#define ADZE_CPU_PAIRS_H

#include "cpu/outer.h"
#include "cpu/transpose.h"
#include "cpu/vec.h"

#define pair_load(p)      _mm512_loadu_ps((const float *)(p))
#define pair_all(x)       vf_bits(_mm512_set1_epi32((int32_t)(x)))
#define pair_mac(p, b, a) _mm512_dpbf16_ps(a, (__m512bh)(p), (__m512bh)(b))

OUTER(outer_pairs, uint32_t, vf, pair_load, pair_all, pair_mac)

/* 16 numbers of bf16 in the lower halves of their lanes.  */
INLINE vi lows(const uint16_t *p)
{
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
}

INLINE vi join(vi low, vi high)
{
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

INLINE vi lows_of(vf v)
{
    return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(v));
}

INLINE void slots_store(uint32_t *p, vi v)
{
    _mm512_storeu_si512(p, v);
}

/* N <= 16 rows of C <= 16 numbers, ROW apart, as [C/2][16] slots.  */
INLINE void pairs_turn(const float *w, int64_t row, int64_t n, int64_t c, float *to)
{
    float pairs[LANES][LANES / 2];

    for (int64_t i = 0; i < n; i++)
        vf_store_bf16((uint16_t *)pairs[i], vf_load_n(w + i * row, c));
    if (n < LANES)
        memset(to, 0, (size_t)((c + 1) / 2 * LANES) * sizeof *to);
    transpose(to, LANES, pairs[0], LANES / 2, n, (c + 1) / 2);
}

#endif
