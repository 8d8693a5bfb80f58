/* vec8.h -- vectors of 32-bit sums of products of 8-bit numbers: vec.h for
 * kernels that multiply u8 by s8.
 * SPDX-License-Identifier: MIT
 *
 * One 32-bit lane of x holds PER channels: four bytes with VNNI, otherwise two
 * numbers of 16 bits (the products of two bytes do not fit 16 bits, and the
 * instruction that adds them there saturates).  In files that ask for weights of
 * 7 BITS (#define SEVEN) they do fit, and four bytes are multiplied at once
 * without VNNI too.  Sums are exact.  */
#ifndef ADZE_CPU_VEC8_H
#define ADZE_CPU_VEC8_H

#include "cpu/vec.h"
#include "graph/layout.h"
#include "op/quant8.h"

/* A word of the preprocessor: kernels ask for it where they differ.  */
#if defined(__AVX512VNNI__)
#    define PER             4
#    define vi_dot(a, x, w) _mm512_dpbusd_epi32(a, x, w)
#elif defined(__AVXVNNI__)
#    define PER             4
#    define vi_dot(a, x, w) _mm256_dpbusd_avx_epi32(a, x, w)
#elif defined(SEVEN) && defined(__AVX512F__)
#    define PER 4
#    define vi_dot(a, x, w) \
        _mm512_add_epi32(a, _mm512_madd_epi16(_mm512_maddubs_epi16(x, w), _mm512_set1_epi16(1)))
#elif defined(SEVEN) && defined(__AVX2__)
#    define PER 4
#    define vi_dot(a, x, w) \
        _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1)))
#else
#    define PER 2
#endif

/* The kernels of a family: its name is HEAD, the bits of its weights, TAIL.  */
#if defined(SEVEN)
enum { BITS = 7 };
#    define BITS_NAME          "7"
#    define FAMILY(head, tail) ISA(head##7##tail)
#else
enum { BITS = 8 };
#    define BITS_NAME          "8"
#    define FAMILY(head, tail) ISA(head##8##tail)
#endif

#if defined(__AVX512F__)
#    define vi_load(p)     _mm512_loadu_si512(p)
#    define vi_store(p, v) _mm512_storeu_si512(p, v)
#    if PER == 2
#        define vi_dot(a, x, w) _mm512_add_epi32(a, _mm512_madd_epi16(x, w))
#    endif
#elif defined(__AVX2__)
#    define vi_load(p)     _mm256_loadu_si256((const __m256i *)(p))
#    define vi_store(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#    if PER == 2
#        define vi_dot(a, x, w) _mm256_add_epi32(a, _mm256_madd_epi16(x, w))
#    endif
#else
#    if defined(__SSE2__)
#        include <emmintrin.h>
#    endif
INLINE vi vi_load(const void *p)
{
    vi v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void vi_store(void *p, vi v)
{
    memcpy(p, &v, sizeof v);
}

INLINE vi vi_dot(vi a, vi x, vi w)
{
#    if defined(__SSE2__)
    return a + (vi)_mm_madd_epi16((__m128i)x, (__m128i)w);
#    else
    const vi low = (vi)((vi)(x & 0xffff) * ((w << 16) >> 16));

    return a + low + (x >> 16) * (w >> 16);
#    endif
}
#endif

/* Whether the WEIGHT of N has no more BITS.  */
INLINE int has_bits(const struct node *n, int weight)
{
    return BITS == 8 || quant8_is_7(n, weight);
}

/* As vf_fma().  Where loops are unrolled the compiler would multiply all first
 * and keep the products, with VNNI the sums, on the stack: it may not look behind a
 * sum.  */
INLINE vi vi_mac(vi x, vi w, vi a)
{
    a = vi_dot(a, x, w);
#if defined(__AVX2__)
    __asm__("" : "+v"(a));
#endif
    return a;
}

/* The slots of 16 numbers.  */
INLINE void slots_of_16(int32_t *to, const uint8_t *from)
{
#if PER == 4
    memcpy(to, from, 16);
#elif defined(__AVX2__)
    _mm256_storeu_si256((__m256i *)to,
                        _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)from)));
#else
    for (int i = 0; i < 16 / PER; i++)
        to[i] = from[2 * i] | from[2 * i + 1] << 16;
#endif
}

#if defined(__AVX2__)
/* The bytes of four vectors side by side: four of each a result.  */
INLINE void bytes_of_4(__m128i to[4], const __m128i from[4])
{
    const __m128i a = _mm_unpacklo_epi8(from[0], from[1]), b = _mm_unpackhi_epi8(from[0], from[1]);
    const __m128i c = _mm_unpacklo_epi8(from[2], from[3]), d = _mm_unpackhi_epi8(from[2], from[3]);

    to[0] = _mm_unpacklo_epi16(a, c);
    to[1] = _mm_unpackhi_epi16(a, c);
    to[2] = _mm_unpacklo_epi16(b, d);
    to[3] = _mm_unpackhi_epi16(b, d);
}
#endif

/* VL numbers of 8 bits as whole numbers, and as floats.  */
INLINE vi vi_of_u8(const uint8_t *p)
{
#if defined(__AVX512F__)
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
#elif defined(__AVX2__)
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
#else
    return (vi){p[0], p[1], p[2], p[3]};
#endif
}

INLINE vf vf_of_u8(const uint8_t *p)
{
    return vf_of(vi_of_u8(p));
}

/* The first N; zeros behind them.  */
INLINE vf vf_of_u8_n(const uint8_t *p, int64_t n)
{
    uint8_t t[VL] = {0};

    memcpy(t, p, (size_t)n);
    return vf_of_u8(t);
}

/* V, whole numbers in [0, 255], as bytes.  */
INLINE void vf_store_u8(uint8_t *p, vf v)
{
#if defined(__AVX512F__)
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
#elif defined(__AVX2__)
    const __m256i i = _mm256_cvtps_epi32(v);
    const __m128i w = _mm_packs_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));

    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(w, w));
#else
    for (int i = 0; i < VL; i++)
        p[i] = (uint8_t)v[i];
#endif
}

INLINE void vf_store_u8_n(uint8_t *p, vf v, int64_t n)
{
    uint8_t t[VL];

    vf_store_u8(t, v);
    memcpy(p, t, (size_t)n);
}

/* Rounded half to even.  */
INLINE vf vf_level(const struct levels *q, vf v)
{
    return vf_round(vf_min(VF1(q->hi), vf_max(VF1(q->lo), v))) + VF1(q->zero);
}

/* The sum of two levels, and its level.  */
INLINE vf vf_sum8(const struct sum8 *s, vf a, vf b)
{
    const vf p = (a - VF1(s->zero_a)) * VF1(s->a);

    return vf_fma(b - VF1(s->zero_b), VF1(s->b), p);
}

#if defined(__AVX2__)
/* vf_level() in two steps, of which the second packs PACK vectors at once: to
 * whole numbers, limited above lest they overflow; then to bytes.  */
enum { PACK = 4 };

INLINE vi vi_level(const struct levels *q, vf v)
{
    return vi_of(vf_min(VF1(q->hi), v));
}

INLINE int lowest_level(const struct levels *q)
{
    return _mm_cvtss_si32(_mm_set_ss(q->lo)) + q->zero;
}

#    if defined(__AVX512F__)
/* The first N of V, one behind the other.  */
INLINE void vi_store_levels(uint8_t *p, const struct levels *q, const vi *v, const int n)
{
    const vi zero = _mm512_set1_epi16((short)q->zero);
    const vi lo = _mm512_set1_epi8((char)(uint8_t)lowest_level(q));
    const vi a = _mm512_adds_epi16(_mm512_packs_epi32(v[0], v[1]), zero);
    const vi b = _mm512_adds_epi16(_mm512_packs_epi32(v[2], v[3]), zero);
    const vi c = _mm512_max_epu8(_mm512_packus_epi16(a, b), lo);
    const vi order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    const vi r = _mm512_permutexvar_epi32(order, c);

    if (n == 4)
        _mm512_storeu_si512(p, r);
    else if (n > 1)
        _mm256_storeu_si256((__m256i *)p, _mm512_castsi512_si256(r));
    if (n == 3)
        _mm_storeu_si128((__m128i *)p + 2, _mm512_extracti32x4_epi32(r, 2));
    if (n == 1)
        _mm_storeu_si128((__m128i *)p, _mm512_castsi512_si128(r));
}

#        define vi_spread_levels vi_store_levels /* VL is LANES */
#    else
INLINE vi levels_of(const struct levels *q, const vi *v)
{
    const vi zero = _mm256_set1_epi16((short)q->zero);
    const vi lo = _mm256_set1_epi8((char)(uint8_t)lowest_level(q));
    const vi a = _mm256_adds_epi16(_mm256_packs_epi32(v[0], v[1]), zero);
    const vi b = _mm256_adds_epi16(_mm256_packs_epi32(v[2], v[3]), zero);
    const vi c = _mm256_max_epu8(_mm256_packus_epi16(a, b), lo);

    return _mm256_permutevar8x32_epi32(c, _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0));
}

/* The first N of V, 2 or 4, one behind the other.  */
INLINE void vi_store_levels(uint8_t *p, const struct levels *q, const vi *v, const int n)
{
    const vi r = levels_of(q, v);

    if (n == 4)
        _mm256_storeu_si256((__m256i *)p, r);
    else
        _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(r));
}

/* The first N of V, each LANES bytes behind the one before.  */
INLINE void vi_spread_levels(uint8_t *p, const struct levels *q, const vi *v, const int n)
{
    const vi r = levels_of(q, v);

    EACH (i, n) {
        const __m128i two = i < 2 ? _mm256_castsi256_si128(r) : _mm256_extracti128_si256(r, 1);

        _mm_storel_epi64((__m128i *)(p + i * LANES), i % 2 ? _mm_unpackhi_epi64(two, two) : two);
    }
}
#    endif
#endif

#endif
