/* avx512.h -- the instructions of AVX-512, VNNI and BF16 in those of AVX2, as
 * far as kernels use them.  With this header in front of each file the kernels
 * of all levels of x86 run where the processor has AVX2 alone, with the same
 * results to the bit: tests/emulated/avx512.sh.
 * SPDX-License-Identifier: MIT
 *
 * Source: the operations in Intel's Architecture Instruction Set Reference.  */
#ifndef ADZE_TESTS_STANDIN_AVX512_H
#define ADZE_TESTS_STANDIN_AVX512_H

/* Whatever the processor is asked for, it has.  */
#define __builtin_cpu_supports(name) 1

#if defined(STANDIN_AVX512)
#    include "dpbusd.h"

#    include <immintrin.h>
#    include <math.h>
#    include <stdint.h>
#    include <string.h>

#    define __AVX512F__  1
#    define __AVX512BW__ 1
#    define __AVX512VL__ 1
#    define __AVX512DQ__ 1
#    if defined(STANDIN_VNNI)
#        define __AVX512VNNI__ 1
#    elif defined(STANDIN_BF16)
#        define __AVX512BF16__ 1
#    endif

/* Some sums are hidden from the compiler in a register of 64 bytes: there is
 * none.  No declaration that is read from here on needs this word.  */
#    define __asm__(...)

#    define WORD static inline __attribute__((always_inline, unused))

/* Of floats, f, and of whole numbers, i; H: a half.  */
typedef __m512 standin_f;
typedef __m512i standin_i;

union standin {
    __m512 f;
    __m512i i;
    __m256 hf[2];
    __m256i hi[2];
    __m128i quarter[4];
    float s[16];
    uint32_t d[16];
    uint16_t w[32];
    uint8_t b[64];
};

WORD union standin of_f(__m512 a)
{
    return (union standin){.f = a};
}

WORD union standin of_i(__m512i a)
{
    return (union standin){.i = a};
}

/* ---- what AVX2 has, of each half ---- */
#    define HALVES_1(to, from, name, half)                         \
        WORD standin_##to standin_##name(standin_##from a)         \
        {                                                          \
            const union standin x = of_##from(a);                  \
                                                                   \
            return (union standin){                                \
                .h##to = {half(x.h##from[0]), half(x.h##from[1])}} \
                .to;                                               \
        }

#    define HALVES_2(t, name, half)                                      \
        WORD standin_##t standin_##name(standin_##t a, standin_##t b)    \
        {                                                                \
            const union standin x = of_##t(a), y = of_##t(b);            \
                                                                         \
            return (union standin){.h##t = {half(x.h##t[0], y.h##t[0]),  \
                                            half(x.h##t[1], y.h##t[1])}} \
                .t;                                                      \
        }

#    define HALVES_3(name, half)                                            \
        WORD __m512 standin_##name(__m512 a, __m512 b, __m512 c)            \
        {                                                                   \
            const union standin x = of_f(a), y = of_f(b), z = of_f(c);      \
                                                                            \
            return (union standin){.hf = {half(x.hf[0], y.hf[0], z.hf[0]),  \
                                          half(x.hf[1], y.hf[1], z.hf[1])}} \
                .f;                                                         \
        }

#    define ROUNDED(a) _mm256_round_ps(a, 8)

HALVES_1(f, f, sqrt_ps, _mm256_sqrt_ps)
HALVES_1(f, f, rounded, ROUNDED)
HALVES_1(i, f, cvtps_epi32, _mm256_cvtps_epi32)
HALVES_1(f, i, cvtepi32_ps, _mm256_cvtepi32_ps)
HALVES_2(f, max_ps, _mm256_max_ps)
HALVES_2(f, min_ps, _mm256_min_ps)
HALVES_2(i, add_epi32, _mm256_add_epi32)
HALVES_2(i, adds_epi16, _mm256_adds_epi16)
HALVES_2(i, madd_epi16, _mm256_madd_epi16)
HALVES_2(i, maddubs_epi16, _mm256_maddubs_epi16)
HALVES_2(i, max_epu8, _mm256_max_epu8)
HALVES_2(i, or_si512, _mm256_or_si256)
HALVES_2(i, packs_epi32, _mm256_packs_epi32)
HALVES_2(i, packus_epi16, _mm256_packus_epi16)
HALVES_2(i, shuffle_epi8, _mm256_shuffle_epi8)
HALVES_3(fmadd_ps, _mm256_fmadd_ps)
HALVES_3(fnmadd_ps, _mm256_fnmadd_ps)

WORD __m512i standin_slli_epi32(__m512i a, int n)
{
    const union standin x = of_i(a);

    return (union standin){
        .hi = {_mm256_slli_epi32(x.hi[0], n), _mm256_slli_epi32(x.hi[1], n)}}
        .i;
}

/* ---- a number in all lanes, and one in each ---- */
#    define TWICE(h, x) ((union standin){.h = {x, x}})

WORD __m512 standin_set1_ps(float x)
{
    return TWICE(hf, _mm256_set1_ps(x)).f;
}

WORD __m512i standin_set1_epi32(int x)
{
    return TWICE(hi, _mm256_set1_epi32(x)).i;
}

WORD __m512i standin_set1_epi16(short x)
{
    return TWICE(hi, _mm256_set1_epi16(x)).i;
}

WORD __m512i standin_set1_epi8(char x)
{
    return TWICE(hi, _mm256_set1_epi8(x)).i;
}

WORD __m512i standin_broadcast_i32x4(__m128i x)
{
    return TWICE(hi, _mm256_broadcastsi128_si256(x)).i;
}

/* The last lane first.  */
#    define standin_set_epi32(p, o, n, m, l, k, j, i, h, g, f, e, d, c, b, a) \
        ((__m512i)(__v16si){a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p})

/* ---- parts, and wider and narrower lanes ---- */
WORD __m256 standin_castps512_ps256(__m512 a)
{
    return of_f(a).hf[0];
}

WORD __m256i standin_castsi512_si256(__m512i a)
{
    return of_i(a).hi[0];
}

WORD __m128i standin_castsi512_si128(__m512i a)
{
    return of_i(a).quarter[0];
}

WORD __m256 standin_extractf32x8_ps(__m512 a, int i)
{
    return of_f(a).hf[i];
}

WORD __m128i standin_extracti32x4_epi32(__m512i a, int i)
{
    return of_i(a).quarter[i];
}

WORD __m512i standin_castsi128_si512(__m128i a)
{
    return (union standin){.quarter = {a}}.i;
}

WORD __m512i standin_inserti32x4(__m512i a, __m128i b, int i)
{
    union standin r = of_i(a);

    r.quarter[i] = b;
    return r.i;
}

WORD __m512i standin_cvtepu16_epi32(__m256i a)
{
    return (union standin){
        .hi = {_mm256_cvtepu16_epi32(_mm256_castsi256_si128(a)),
               _mm256_cvtepu16_epi32(_mm256_extracti128_si256(a, 1))}}
        .i;
}

WORD __m512i standin_cvtepu8_epi32(__m128i a)
{
    return (union standin){.hi = {_mm256_cvtepu8_epi32(a),
                                  _mm256_cvtepu8_epi32(_mm_srli_si128(a, 8))}}
        .i;
}

WORD __m128i standin_cvtepi32_epi8(__m512i a)
{
    const union standin x = of_i(a);
    uint8_t t[16];

    for (int k = 0; k < 16; k++)
        t[k] = (uint8_t)x.d[k];
    return _mm_loadu_si128((const __m128i *)t);
}

/* ---- memory; lanes that a mask leaves out are not touched ---- */
#    define standin_loadu_ps(p)    (*(const __m512_u *)(p))
#    define standin_loadu_si512(p) (*(const __m512i_u *)(p))

WORD void standin_storeu_ps(void *p, __m512 a)
{
    memcpy(p, &a, sizeof a);
}

WORD void standin_storeu_si512(void *p, __m512i a)
{
    memcpy(p, &a, sizeof a);
}

#    define CHOSEN(m) ((m) >> k & 1)

WORD __m512 standin_maskz_loadu_ps(__mmask16 m, const void *p)
{
    union standin r = {.s = {0}};

    for (int k = 0; k < 16; k++)
        if (CHOSEN(m))
            memcpy(&r.s[k], (const char *)p + 4 * k, 4);
    return r.f;
}

WORD __m512i standin_mask_loadu_epi8(__m512i a, __mmask64 m, const void *p)
{
    union standin r = of_i(a);

    for (int k = 0; k < 64; k++)
        if (CHOSEN(m))
            r.b[k] = ((const uint8_t *)p)[k];
    return r.i;
}

WORD __m512i standin_maskz_loadu_epi8(__mmask64 m, const void *p)
{
    return standin_mask_loadu_epi8(standin_set1_epi8(0), m, p);
}

WORD __m128i standin_mask_loadu_epi8_128(__m128i a, __mmask16 m, const void *p)
{
    uint8_t t[16];

    _mm_storeu_si128((__m128i *)t, a);
    for (int k = 0; k < 16; k++)
        if (CHOSEN(m))
            t[k] = ((const uint8_t *)p)[k];
    return _mm_loadu_si128((const __m128i *)t);
}

WORD void standin_mask_storeu_epi32(void *p, __mmask16 m, __m512i a)
{
    const union standin x = of_i(a);

    for (int k = 0; k < 16; k++)
        if (CHOSEN(m))
            memcpy((char *)p + 4 * k, &x.d[k], 4);
}

WORD void standin_mask_storeu_ps(void *p, __mmask16 m, __m512 a)
{
    standin_mask_storeu_epi32(p, m, of_f(a).i);
}

WORD void standin_mask_storeu_epi8(void *p, __mmask64 m, __m512i a)
{
    const union standin x = of_i(a);

    for (int k = 0; k < 64; k++)
        if (CHOSEN(m))
            ((uint8_t *)p)[k] = x.b[k];
}

/* ---- order of lanes ---- */
#    define PERMUTE(name, mask, lane, n)                                       \
        WORD __m512i standin_mask_permutexvar_##name(__m512i from, mask m,     \
                                                     __m512i order, __m512i a) \
        {                                                                      \
            const union standin o = of_i(order), x = of_i(a);                  \
            union standin r = of_i(from);                                      \
                                                                               \
            for (int k = 0; k < n; k++)                                        \
                if (CHOSEN(m))                                                 \
                    r.lane[k] = x.lane[o.lane[k] % n];                         \
            return r.i;                                                        \
        }

PERMUTE(epi32, __mmask16, d, 16)
PERMUTE(epi16, __mmask32, w, 32)

WORD __m512 standin_mask_permutexvar_ps(__m512 from, __mmask16 m, __m512i order,
                                        __m512 a)
{
    return of_i(standin_mask_permutexvar_epi32(of_f(from).i, m, order,
                                               of_f(a).i))
        .f;
}

WORD __m512i standin_mask_shuffle_epi8(__m512i from, __mmask64 m, __m512i a,
                                       __m512i order)
{
    const union standin x = of_i(standin_shuffle_epi8(a, order));
    union standin r = of_i(from);

    for (int k = 0; k < 64; k++)
        if (CHOSEN(m))
            r.b[k] = x.b[k];
    return r.i;
}

WORD __m512i standin_permutexvar_epi32(__m512i order, __m512i a)
{
    return standin_mask_permutexvar_epi32(a, 0xffff, order, a);
}

WORD __m512 standin_permutexvar_ps(__m512i order, __m512 a)
{
    return of_i(standin_permutexvar_epi32(order, of_f(a).i)).f;
}

WORD __m512i standin_permutex2var_epi32(__m512i a, __m512i order, __m512i b)
{
    const union standin o = of_i(order), x[2] = {of_i(a), of_i(b)};
    union standin r = x[0];

    for (int k = 0; k < 16; k++)
        r.d[k] = x[o.d[k] >> 4 & 1].d[o.d[k] & 15];
    return r.i;
}

WORD __m512 standin_permutex2var_ps(__m512 a, __m512i order, __m512 b)
{
    return of_i(standin_permutex2var_epi32(of_f(a).i, order, of_f(b).i)).f;
}

/* ---- masks of comparisons ---- */
WORD __mmask16 standin_gt_mask(__m512 a, __m512 b)
{
    const union standin x = of_f(a), y = of_f(b);
    unsigned m = 0;

    for (int k = 0; k < 16; k++)
        m |= (unsigned)(x.s[k] > y.s[k]) << k;
    return (__mmask16)m;
}

WORD __m512 standin_mask_blend_ps(__mmask16 m, __m512 a, __m512 b)
{
    const union standin x = of_f(b);
    union standin r = of_f(a);

    for (int k = 0; k < 16; k++)
        if (CHOSEN(m))
            r.s[k] = x.s[k];
    return r.f;
}

WORD __mmask16 standin_cmpeq_epi32_mask(__m512i a, __m512i b)
{
    const union standin x = of_i(a), y = of_i(b);
    unsigned m = 0;

    for (int k = 0; k < 16; k++)
        m |= (unsigned)(x.d[k] == y.d[k]) << k;
    return (__mmask16)m;
}

WORD __mmask16 standin_cmpgt_epu16_mask_256(__m256i a, __m256i b)
{
    uint16_t x[16], y[16];
    unsigned m = 0;

    _mm256_storeu_si256((__m256i *)x, a);
    _mm256_storeu_si256((__m256i *)y, b);
    for (int k = 0; k < 16; k++)
        m |= (unsigned)(x[k] > y[k]) << k;
    return (__mmask16)m;
}

/* The signs.  */
WORD __mmask16 standin_movepi16_mask_256(__m256i a)
{
    return standin_cmpgt_epu16_mask_256(a, _mm256_set1_epi16(0x7fff));
}

WORD __m256i standin_mask_mov_epi16_256(__m256i from, __mmask16 m, __m256i a)
{
    uint16_t r[16], x[16];

    _mm256_storeu_si256((__m256i *)r, from);
    _mm256_storeu_si256((__m256i *)x, a);
    for (int k = 0; k < 16; k++)
        if (CHOSEN(m))
            r[k] = x[k];
    return _mm256_loadu_si256((const __m256i *)r);
}

/* ---- VNNI ---- */
WORD __m512i standin_dpbusd_epi32(__m512i a, __m512i x, __m512i w)
{
    const union standin s = of_i(a), p = of_i(x), q = of_i(w);

    return (union standin){.hi = {standin_dpbusd(s.hi[0], p.hi[0], q.hi[0]),
                                  standin_dpbusd(s.hi[1], p.hi[1], q.hi[1])}}
        .i;
}

/* ---- BF16: numbers below the least normal one are zeros, before and after;
 * to nearest even whatever is set ---- */
WORD __m256 standin_flushed(__m256 a)
{
    const __m256i bits = _mm256_castps_si256(a);
    const __m256i exponent =
        _mm256_and_si256(bits, _mm256_set1_epi32(0x7f800000));
    const __m256i zero = _mm256_cmpeq_epi32(exponent, _mm256_setzero_si256());
    const __m256i sign = _mm256_set1_epi32((int)0x80000000);

    return _mm256_castsi256_ps(
        _mm256_blendv_epi8(bits, _mm256_and_si256(bits, sign), zero));
}

WORD __m256 standin_dpbf16_256(__m256 a, __m256i x, __m256i w)
{
    const __m256i high = _mm256_set1_epi32((int)0xffff0000);
    const __m256 x1 = _mm256_castsi256_ps(_mm256_and_si256(x, high));
    const __m256 w1 = _mm256_castsi256_ps(_mm256_and_si256(w, high));
    const __m256 x0 = _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
    const __m256 w0 = _mm256_castsi256_ps(_mm256_slli_epi32(w, 16));
    const __m256 s = _mm256_fmadd_ps(standin_flushed(x1), standin_flushed(w1),
                                     standin_flushed(a));

    return standin_flushed(_mm256_fmadd_ps(
        standin_flushed(x0), standin_flushed(w0), standin_flushed(s)));
}

WORD __m512 standin_dpbf16_ps(__m512 a, __m512bh x, __m512bh w)
{
    const union standin s = of_f(a), p = of_i((__m512i)x), q = of_i((__m512i)w);

    return (union standin){
        .hf = {standin_dpbf16_256(s.hf[0], p.hi[0], q.hi[0]),
               standin_dpbf16_256(s.hf[1], p.hi[1], q.hi[1])}}
        .f;
}

WORD uint16_t standin_bf16(uint32_t u)
{
    const uint32_t size = u & 0x7fffffff;

    if (size > 0x7f800000)
        return (uint16_t)(u >> 16 | 0x40); /* a NaN, quiet */
    if (size < 0x00800000)
        return (uint16_t)(u >> 16 & 0x8000);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

WORD __m256i standin_cvtneps_pbh(__m512 a)
{
    const union standin x = of_f(a);
    union standin r;

    for (int k = 0; k < 16; k++)
        r.w[k] = standin_bf16(x.d[k]);
    return r.hi[0];
}

/* ---- the names; what is rounded is to nearest even, what is compared is
 * greater ---- */
#    undef _mm512_add_epi32
#    define _mm512_add_epi32 standin_add_epi32
#    undef _mm512_adds_epi16
#    define _mm512_adds_epi16 standin_adds_epi16
#    undef _mm512_broadcast_i32x4
#    define _mm512_broadcast_i32x4 standin_broadcast_i32x4
#    undef _mm512_castps512_ps256
#    define _mm512_castps512_ps256 standin_castps512_ps256
#    undef _mm512_castps_si512
#    define _mm512_castps_si512(a) (of_f(a).i)
#    undef _mm512_castsi512_ps
#    define _mm512_castsi512_ps(a) (of_i(a).f)
#    undef _mm512_castsi512_si128
#    define _mm512_castsi512_si128 standin_castsi512_si128
#    undef _mm512_castsi512_si256
#    define _mm512_castsi512_si256 standin_castsi512_si256
#    undef _mm512_cmp_ps_mask
#    define _mm512_cmp_ps_mask(a, b, how) standin_gt_mask(a, b)
#    undef _mm512_cmpeq_epi32_mask
#    define _mm512_cmpeq_epi32_mask standin_cmpeq_epi32_mask
#    undef _mm512_cvtepi32_epi8
#    define _mm512_cvtepi32_epi8 standin_cvtepi32_epi8
#    undef _mm512_cvtepi32_ps
#    define _mm512_cvtepi32_ps standin_cvtepi32_ps
#    undef _mm512_cvtepu16_epi32
#    define _mm512_cvtepu16_epi32 standin_cvtepu16_epi32
#    undef _mm512_cvtepu8_epi32
#    define _mm512_cvtepu8_epi32 standin_cvtepu8_epi32
#    undef _mm512_cvtneps_pbh
#    define _mm512_cvtneps_pbh standin_cvtneps_pbh
#    undef _mm512_cvtps_epi32
#    define _mm512_cvtps_epi32 standin_cvtps_epi32
#    undef _mm512_dpbf16_ps
#    define _mm512_dpbf16_ps standin_dpbf16_ps
#    undef _mm512_dpbusd_epi32
#    define _mm512_dpbusd_epi32 standin_dpbusd_epi32
#    undef _mm512_extractf32x8_ps
#    define _mm512_extractf32x8_ps standin_extractf32x8_ps
#    undef _mm512_extracti32x4_epi32
#    define _mm512_extracti32x4_epi32 standin_extracti32x4_epi32
#    undef _mm512_castsi128_si512
#    define _mm512_castsi128_si512 standin_castsi128_si512
#    undef _mm512_inserti32x4
#    define _mm512_inserti32x4 standin_inserti32x4
#    undef _mm512_fmadd_ps
#    define _mm512_fmadd_ps standin_fmadd_ps
#    undef _mm512_fnmadd_ps
#    define _mm512_fnmadd_ps standin_fnmadd_ps
#    undef _mm512_loadu_ps
#    define _mm512_loadu_ps standin_loadu_ps
#    undef _mm512_loadu_si512
#    define _mm512_loadu_si512 standin_loadu_si512
#    undef _mm512_madd_epi16
#    define _mm512_madd_epi16 standin_madd_epi16
#    undef _mm512_maddubs_epi16
#    define _mm512_maddubs_epi16 standin_maddubs_epi16
#    undef _mm512_mask_blend_ps
#    define _mm512_mask_blend_ps standin_mask_blend_ps
#    undef _mm512_mask_loadu_epi8
#    define _mm512_mask_loadu_epi8 standin_mask_loadu_epi8
#    undef _mm512_mask_permutexvar_epi16
#    define _mm512_mask_permutexvar_epi16 standin_mask_permutexvar_epi16
#    undef _mm512_mask_permutexvar_epi32
#    define _mm512_mask_permutexvar_epi32 standin_mask_permutexvar_epi32
#    undef _mm512_mask_permutexvar_ps
#    define _mm512_mask_permutexvar_ps standin_mask_permutexvar_ps
#    undef _mm512_mask_shuffle_epi8
#    define _mm512_mask_shuffle_epi8 standin_mask_shuffle_epi8
#    undef _mm512_mask_storeu_epi8
#    define _mm512_mask_storeu_epi8 standin_mask_storeu_epi8
#    undef _mm512_mask_storeu_ps
#    define _mm512_mask_storeu_ps standin_mask_storeu_ps
#    undef _mm512_maskz_loadu_epi8
#    define _mm512_maskz_loadu_epi8 standin_maskz_loadu_epi8
#    undef _mm512_maskz_loadu_ps
#    define _mm512_maskz_loadu_ps standin_maskz_loadu_ps
#    undef _mm512_max_epu8
#    define _mm512_max_epu8 standin_max_epu8
#    undef _mm512_max_ps
#    define _mm512_max_ps standin_max_ps
#    undef _mm512_min_ps
#    define _mm512_min_ps standin_min_ps
#    undef _mm512_or_si512
#    define _mm512_or_si512 standin_or_si512
#    undef _mm512_packs_epi32
#    define _mm512_packs_epi32 standin_packs_epi32
#    undef _mm512_packus_epi16
#    define _mm512_packus_epi16 standin_packus_epi16
#    undef _mm512_permutex2var_epi32
#    define _mm512_permutex2var_epi32 standin_permutex2var_epi32
#    undef _mm512_permutex2var_ps
#    define _mm512_permutex2var_ps standin_permutex2var_ps
#    undef _mm512_permutexvar_epi32
#    define _mm512_permutexvar_epi32 standin_permutexvar_epi32
#    undef _mm512_permutexvar_ps
#    define _mm512_permutexvar_ps standin_permutexvar_ps
#    undef _mm512_roundscale_ps
#    define _mm512_roundscale_ps(a, how) standin_rounded(a)
#    undef _mm512_set1_epi16
#    define _mm512_set1_epi16 standin_set1_epi16
#    undef _mm512_set1_epi32
#    define _mm512_set1_epi32 standin_set1_epi32
#    undef _mm512_set1_epi8
#    define _mm512_set1_epi8 standin_set1_epi8
#    undef _mm512_set1_ps
#    define _mm512_set1_ps standin_set1_ps
#    undef _mm512_set_epi32
#    define _mm512_set_epi32 standin_set_epi32
#    undef _mm512_shuffle_epi8
#    define _mm512_shuffle_epi8 standin_shuffle_epi8
#    undef _mm512_slli_epi32
#    define _mm512_slli_epi32 standin_slli_epi32
#    undef _mm512_sqrt_ps
#    define _mm512_sqrt_ps standin_sqrt_ps
#    undef _mm512_storeu_ps
#    define _mm512_storeu_ps standin_storeu_ps
#    undef _mm512_storeu_si512
#    define _mm512_storeu_si512 standin_storeu_si512
#    undef _mm_mask_loadu_epi8
#    define _mm_mask_loadu_epi8 standin_mask_loadu_epi8_128
#    undef _mm256_mask_mov_epi16
#    define _mm256_mask_mov_epi16 standin_mask_mov_epi16_256
#    undef _mm256_cmpgt_epu16_mask
#    define _mm256_cmpgt_epu16_mask standin_cmpgt_epu16_mask_256
#    undef _mm256_movepi16_mask
#    define _mm256_movepi16_mask standin_movepi16_mask_256
#endif

#endif
