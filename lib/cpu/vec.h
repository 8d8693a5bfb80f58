/* vec.h -- vectors of float in the width of the instruction set that the
 * including file is compiled for.
 * SPDX-License-Identifier: MIT
 *
 * Kernels are written once against these words (X_body.h) and compiled once
 * per instruction set (X_any.c, X_neon.c, X_avx2.c, X_avx512.c, and those with
 * more instructions: X_avxvnni.c, X_vnni.c, X_bf16.c).  Arithmetic + - * / is
 * written with operators.  Nothing here is visible outside a file.
 *
 *     VL                 lanes of a vector
 *     ISA(name)          name_any, name_neon, ...
 *     ISA_BITS           what struct kernel.isa says for this file
 *
 * vf_fma() is one rounding where the instruction set has it (all but "any").
 * vf_max(a, b) and vf_min(a, b) give B where either is a NaN: put the number
 * that may be one second, and it goes through.  */
#ifndef ADZE_CPU_VEC_H
#define ADZE_CPU_VEC_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/cpuinfo.h"

#define INLINE static inline __attribute__((always_inline, unused))
/* A loop over I in [0, N), N a constant, unrolled.  */
#define EACH(i, n) _Pragma("GCC unroll 32") for (int i = 0; i < (n); i++)

#if defined(__AVX512F__)
#    include <immintrin.h>
#    if defined(__AVX512BF16__)
enum { VL = 16, ISA_BITS = CPU_AVX2 | CPU_AVX512 | CPU_AVX512BF16 };
#        define ISA(name) name##_bf16
#        define ISA_NAME  "bf16"
#    elif defined(__AVX512VNNI__)
enum { VL = 16, ISA_BITS = CPU_AVX2 | CPU_AVX512 | CPU_VNNI };
#        define ISA(name) name##_vnni
#        define ISA_NAME  "vnni"
#    else
enum { VL = 16, ISA_BITS = CPU_AVX2 | CPU_AVX512 };
#        define ISA(name) name##_avx512
#        define ISA_NAME  "avx512"
#    endif
typedef __m512 vf;
typedef __m512i vi;
#    define VF1(x)           _mm512_set1_ps(x)
#    define VI1(x)           _mm512_set1_epi32(x)
#    define vf_load(p)       _mm512_loadu_ps(p)
#    define vf_store(p, v)   _mm512_storeu_ps(p, v)
#    define vf_fma(a, b, c)  _mm512_fmadd_ps(a, b, c)
#    define vf_fnma(a, b, c) _mm512_fnmadd_ps(a, b, c)
#    define vf_max(a, b)     _mm512_max_ps(a, b)
#    define vf_min(a, b)     _mm512_min_ps(a, b)
#    define vf_sqrt(a)       _mm512_sqrt_ps(a)
#    define vf_round(a)      _mm512_roundscale_ps(a, 8)
#    define vi_of(a)         _mm512_cvtps_epi32(a)
#    define vf_of(a)         _mm512_cvtepi32_ps(a)
#    define vf_bits(a)       _mm512_castsi512_ps(a)
#    define vi_bits(a)       _mm512_castps_si512(a)
#    define vi_add(a, b)     _mm512_add_epi32(a, b)
#    define vi_shl(a, n)     _mm512_slli_epi32(a, n)
/* C where A > B (not a NaN), else D.  */
#    define vf_gt(a, b, c, d)   _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), d, c)
#    define VF_MASK(n)          ((__mmask16)((1u << (n)) - 1))
#    define vf_load_n(p, n)     _mm512_maskz_loadu_ps(VF_MASK(n), p)
#    define vf_store_n(p, v, n) _mm512_mask_storeu_ps(p, VF_MASK(n), v)

#elif defined(__AVX2__)
#    include <immintrin.h>
#    if defined(__AVXVNNI__)
enum { VL = 8, ISA_BITS = CPU_AVX2 | CPU_AVXVNNI };
#        define ISA(name) name##_avxvnni
#        define ISA_NAME  "avxvnni"
#    else
enum { VL = 8, ISA_BITS = CPU_AVX2 };
#        define ISA(name) name##_avx2
#        define ISA_NAME  "avx2"
#    endif
typedef __m256 vf;
typedef __m256i vi;
#    define VF1(x)            _mm256_set1_ps(x)
#    define VI1(x)            _mm256_set1_epi32(x)
#    define vf_load(p)        _mm256_loadu_ps(p)
#    define vf_store(p, v)    _mm256_storeu_ps(p, v)
#    define vf_fma(a, b, c)   _mm256_fmadd_ps(a, b, c)
#    define vf_fnma(a, b, c)  _mm256_fnmadd_ps(a, b, c)
#    define vf_max(a, b)      _mm256_max_ps(a, b)
#    define vf_min(a, b)      _mm256_min_ps(a, b)
#    define vf_sqrt(a)        _mm256_sqrt_ps(a)
#    define vf_round(a)       _mm256_round_ps(a, 8)
#    define vi_of(a)          _mm256_cvtps_epi32(a)
#    define vf_of(a)          _mm256_cvtepi32_ps(a)
#    define vf_bits(a)        _mm256_castsi256_ps(a)
#    define vi_bits(a)        _mm256_castps_si256(a)
#    define vi_add(a, b)      _mm256_add_epi32(a, b)
#    define vi_shl(a, n)      _mm256_slli_epi32(a, n)
#    define vf_gt(a, b, c, d) _mm256_blendv_ps(d, c, _mm256_cmp_ps(a, b, _CMP_GT_OQ))

#else
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
#    if defined(VEC_NEON)
#        include <arm_neon.h>
enum { VL = 4, ISA_BITS = CPU_NEON };
#        define ISA(name)        name##_neon
#        define ISA_NAME         "neon"
#        define vf_fma(a, b, c)  ((vf)vfmaq_f32(c, a, b))
#        define vf_fnma(a, b, c) ((vf)vfmsq_f32(c, a, b))
#    else
enum { VL = 4, ISA_BITS = 0 };
#        define ISA(name)        name##_any
#        define ISA_NAME         "any"
#        define vf_fma(a, b, c)  ((a) * (b) + (c))
#        define vf_fnma(a, b, c) ((c) - (a) * (b))
#    endif
#    define VF1(x)       ((vf){x, x, x, x})
#    define VI1(x)       ((vi){x, x, x, x})
#    define vf_bits(a)   ((vf)(a))
#    define vi_bits(a)   ((vi)(a))
#    define vf_of(a)     __builtin_convertvector(a, vf)
#    define vi_of(a)     __builtin_convertvector(vf_round(a), vi)
#    define vi_add(a, b) ((a) + (b))
#    define vi_shl(a, n) ((a) << (n))
#    define vf_max(a, b) vf_gt(a, b, a, b)
#    define vf_min(a, b) vf_gt(b, a, a, b)

INLINE vf vf_load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void vf_store(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}

INLINE vf vf_gt(vf a, vf b, vf c, vf d)
{
    const vi m = a > b;
    return (vf)((m & (vi)c) | (~m & (vi)d));
}

/* To nearest even; for numbers below 2^22 in size.  */
INLINE vf vf_round(vf a)
{
    const vf big = VF1(12582912.0f);
    return (a + big) - big;
}

INLINE vf vf_sqrt(vf a)
{
    for (int i = 0; i < VL; i++)
        a[i] = __builtin_sqrtf(a[i]);
    return a;
}
#endif

#if defined(__AVX512BF16__)
/* Numbers of bf16: the upper halves of floats, to nearest even.  */
INLINE vf vf_load_bf16(const uint16_t *p)
{
    const vi v = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));

    return vf_bits(_mm512_slli_epi32(v, 16));
}

INLINE void vf_store_bf16(uint16_t *p, vf v)
{
    _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(v));
}
#endif

/* Lane i of V to p[2 i], nothing between.  */
INLINE void vf_store_2(float *p, vf v)
{
#if defined(__AVX512F__)
    const vi low = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const vi high = _mm512_add_epi32(low, _mm512_set1_epi32(8));

    _mm512_mask_storeu_ps(p, 0x5555, _mm512_permutexvar_ps(low, v));
    _mm512_mask_storeu_ps(p + VL, 0x5555, _mm512_permutexvar_ps(high, v));
#else
    float t[VL];

    vf_store(t, v);
    for (int i = 0; i < VL; i++)
        p[2 * i] = t[i];
#endif
}

/* The lanes of A and B of even and of odd number.  */
INLINE vf vf_even(vf a, vf b)
{
#if defined(__AVX512F__)
    const vi i = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);

    return _mm512_permutex2var_ps(a, i, b);
#elif defined(__AVX2__)
    const __m256d t = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88));

    return _mm256_castpd_ps(_mm256_permute4x64_pd(t, 0xd8));
#else
    return (vf){a[0], a[2], b[0], b[2]};
#endif
}

INLINE vf vf_odd(vf a, vf b)
{
#if defined(__AVX512F__)
    const vi i = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);

    return _mm512_permutex2var_ps(a, i, b);
#elif defined(__AVX2__)
    const __m256d t = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xdd));

    return _mm256_castpd_ps(_mm256_permute4x64_pd(t, 0xd8));
#else
    return (vf){a[1], a[3], b[1], b[3]};
#endif
}

#ifndef VF_MASK
/* The first N lanes; zeros behind them.  */
INLINE vf vf_load_n(const float *p, int64_t n)
{
    float t[VL] = {0};
    memcpy(t, p, (size_t)n * sizeof *t);
    return vf_load(t);
}

INLINE void vf_store_n(float *p, vf v, int64_t n)
{
    float t[VL];
    vf_store(t, v);
    memcpy(p, t, (size_t)n * sizeof *t);
}
#endif

#define VF0 VF1(0.0f)

/* The larger; a NaN of either.  */
INLINE vf vf_larger(vf a, vf b)
{
    const vf m = vf_max(a, b); /* B where there is a NaN */

    return vf_gt(m, b, m, vf_gt(b, a, b, vf_gt(a, VF1(-INFINITY), m, a + b)));
}

/* 1, or 0 of a NaN.  */
INLINE vf vf_number(vf x)
{
    return vf_gt(x, VF1(-INFINITY), VF1(1), vf_gt(VF1(INFINITY), x, VF1(1), VF0));
}

/* The sum of all lanes, always in the same tree, and the largest, where a NaN
 * may get lost: of both halves, lane by lane, until one is left.  */
#if defined(__AVX2__)
INLINE __m256 vf_fold(vf v, __m256 (*f)(__m256, __m256))
{
#    if defined(__AVX512F__)
    return f(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
#    else
    (void)f;
    return v;
#    endif
}

INLINE __m256 v8_add(__m256 a, __m256 b)
{
    return _mm256_add_ps(a, b);
}

INLINE __m256 v8_max(__m256 a, __m256 b)
{
    return _mm256_max_ps(a, b);
}

INLINE float vf_reduce(vf v, __m256 (*f)(__m256, __m256))
{
    __m256 t = vf_fold(v, f);

    t = f(t, _mm256_permute2f128_ps(t, t, 1));
    t = f(t, _mm256_permute_ps(t, 0x4e));
    t = f(t, _mm256_permute_ps(t, 0xb1));
    return _mm256_cvtss_f32(t);
}

INLINE float vf_sum(vf v)
{
    return vf_reduce(v, v8_add);
}

INLINE float vf_most(vf v)
{
    return vf_reduce(v, v8_max);
}
#else
INLINE float vf_sum(vf v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}

INLINE float vf_most(vf v)
{
    const float a = v[0] > v[2] ? v[0] : v[2], b = v[1] > v[3] ? v[1] : v[3];

    return a > b ? a : b;
}
#endif

/* e^x to 2 units in the last place (Cephes' polynomial); 0 below -87.3, the
 * largest float above 88.7; a NaN stays one.  */
INLINE vf vf_exp(vf x)
{
    const vf y = vf_min(VF1(88.72f), vf_max(VF1(-87.33f), x));
    const vf n = vf_round(y * VF1(1.44269504088896341f));
    vf r = vf_fnma(n, VF1(0.693359375f), y);
    r = vf_fnma(n, VF1(-2.12194440e-4f), r);
    vf p = VF1(1.9875691500e-4f);
    p = vf_fma(p, r, VF1(1.3981999507e-3f));
    p = vf_fma(p, r, VF1(8.3334519073e-3f));
    p = vf_fma(p, r, VF1(4.1665795894e-2f));
    p = vf_fma(p, r, VF1(1.6666665459e-1f));
    p = vf_fma(p, r, VF1(5.0000001201e-1f));
    p = vf_fma(p, r * r, r + VF1(1.0f));
    /* 2^n in two halves: n may be 128.  */
    const vi i = vi_of(n * VF1(0.5f) - VF1(0.25f));
    const vi j = vi_of(n - vf_of(i));
    const vf s = vf_bits(vi_shl(vi_add(i, VI1(127)), 23));
    const vf t = vf_bits(vi_shl(vi_add(j, VI1(127)), 23));
    return vf_gt(VF1(-87.33f), x, VF0, p * s * t);
}

/* The same for x that is not above 0, or hardly, in fewer steps; 1.2e-38
 * below -87.3.  */
INLINE vf vf_exp_below(vf x)
{
    const vf y = vf_max(VF1(-87.33f), x), big = VF1(12582912.0f);
    const vf t = vf_fma(y, VF1(1.44269504088896341f), big), n = t - big;
    vf r = vf_fnma(n, VF1(0.693359375f), y);
    r = vf_fnma(n, VF1(-2.12194440e-4f), r);
    vf p = VF1(1.9875691500e-4f);
    p = vf_fma(p, r, VF1(1.3981999507e-3f));
    p = vf_fma(p, r, VF1(8.3334519073e-3f));
    p = vf_fma(p, r, VF1(4.1665795894e-2f));
    p = vf_fma(p, r, VF1(1.6666665459e-1f));
    p = vf_fma(p, r, VF1(5.0000001201e-1f));
    p = vf_fma(p, r * r, r + VF1(1.0f));
    /* The last bits of t are n.  */
    return p * vf_bits(vi_shl(vi_add(vi_bits(t), VI1(127)), 23));
}

/* tanh x: a polynomial of x^2 near zero (Cephes), elsewhere by e^x.  */
INLINE vf vf_tanh(vf x)
{
    const vf s = x * x;
    vf p = VF1(-5.70498872745e-3f);
    p = vf_fma(p, s, VF1(2.06390887954e-2f));
    p = vf_fma(p, s, VF1(-5.37397155531e-2f));
    p = vf_fma(p, s, VF1(1.33314422036e-1f));
    p = vf_fma(p, s, VF1(-3.33332819422e-1f));
    p = vf_fma(p * s, x, x);
    const vf q = VF1(1.0f) - VF1(2.0f) / (vf_exp(x + x) + VF1(1.0f));
    return vf_gt(VF1(0.390625f), s, p, q);
}

/* The normal distribution Phi(x) to 1.3e-7: 1/2 + x p(x^2), p of degree 14
 * within 2e-8 / x of the best on |x| < 5.3, in a variable from -1 to 1, where
 * its terms do not cancel; 0 and 1 outside.  */
INLINE vf vf_phi(vf x)
{
    static const float c[] = {2.83630448e-4f, -7.64566008e-4f, 7.32077926e-4f, -1.09594711e-3f,
                              3.13493144e-3f, -5.84955094e-3f, 8.82816873e-3f, -1.31854732e-2f,
                              1.89258363e-2f, -2.52983011e-2f, 3.20795216e-2f, -3.95889319e-2f,
                              4.92641628e-2f, -6.65185079e-2f, 1.33392558e-1f};
    const vf t = vf_fma(x * x, VF1(2 / (5.3f * 5.3f)), VF1(-1.0f));
    vf p = VF1(c[0]);

    EACH (i, 14)
        p = vf_fma(p, t, VF1(c[i + 1]));
    p = vf_fma(p, x, VF1(0.5f));
    return vf_gt(x, VF1(5.3f), VF1(1.0f), vf_gt(VF1(-5.3f), x, VF0, p));
}

/* One vector of an activation; by name: follow.c.  */
enum act { ACT_NONE, ACT_CLIP, ACT_HARDSWISH, ACT_SILU, ACT_SIGMOID, ACT_LINE, ACT_TANH, ACT_GELU };

INLINE vf vf_act(enum act a, vf x, vf lo, vf hi)
{
    switch (a) {
    case ACT_CLIP:
        return vf_min(hi, vf_max(lo, x));
    case ACT_HARDSWISH:
        return x * vf_min(VF1(6.0f), vf_max(VF0, x + VF1(3.0f))) * VF1(1.0f / 6.0f);
    case ACT_SILU:
        return x / (VF1(1.0f) + vf_exp(VF0 - x));
    case ACT_SIGMOID:
        return VF1(1.0f) / (VF1(1.0f) + vf_exp(VF0 - x));
    case ACT_LINE: /* hardsigmoid: slope and value at 0 */
        return vf_min(VF1(1.0f), vf_max(VF0, vf_fma(x, lo, hi)));
    case ACT_TANH:
        return vf_tanh(x);
    case ACT_GELU:
        return x * vf_phi(x);
    case ACT_NONE:
        break;
    }
    return x;
}

/* More than limits.  */
INLINE int act_is_curved(enum act a)
{
    return a != ACT_NONE && a != ACT_CLIP;
}

/* D times the slope of an activation: of clip, line, sigmoid and tanh by the
 * result V, of the others by what it read.  */
INLINE vf vf_slope(enum act a, vf v, vf d, vf lo, vf hi)
{
    const vf one = VF1(1.0f);

    switch (a) {
    case ACT_CLIP:
        return vf_gt(v, lo, vf_gt(hi, v, d, VF0), VF0);
    case ACT_HARDSWISH:
        return d * vf_gt(v, VF1(-3.0f),
                         vf_gt(VF1(3.0f), v, vf_fma(v, VF1(1.0f / 3.0f), VF1(0.5f)), one), VF0);
    case ACT_SILU: {
        const vf s = one / (one + vf_exp(VF0 - v));

        return d * s * vf_fma(v, one - s, one);
    }
    case ACT_SIGMOID:
        return d * v * (one - v);
    case ACT_LINE:
        return vf_gt(v, VF0, vf_gt(one, v, d * lo, VF0), VF0);
    case ACT_TANH:
        return d * vf_fnma(v, v, one);
    case ACT_GELU: { /* Phi(x) + x phi(x) */
        const vf density = VF1(0.398942280f) * vf_exp(VF1(-0.5f) * v * v);

        return d * vf_fma(v, density, vf_phi(v));
    }
    case ACT_NONE:
        break;
    }
    return d;
}

#endif
