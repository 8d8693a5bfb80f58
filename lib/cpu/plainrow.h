/* plainrow.h -- rows of plain pictures with the channels of a pixel side by side,
 * as copies of conv2d_direct.h have them.
 * SPDX-License-Identifier: MIT
 *
 * PLAIN_ROW(name, number, put, number_of) makes
 *
 *     static void name(const struct direct *d, const float *x, number *y);
 *
 * one row of the copy: d->row d->per numbers of the row X of the first channel,
 * with zeros in front of it and behind it.
 *
 *     put(p, v)     store a vector of floats as VL numbers
 *     number_of(f)  one  */
#ifndef ADZE_CPU_PLAINROW_H
#define ADZE_CPU_PLAINROW_H

#include <string.h>

#include "cpu/conv2d_direct.h"
#include "cpu/round.h"
#include "cpu/vec.h"

#if defined(__AVX2__)
/* clang-format off */
#define FOUR(f, c, k)    f(c, k), f(c, (k) + 1), f(c, (k) + 2), f(c, (k) + 3)
#define SIXTEEN(f, c, k) FOUR(f, c, k), FOUR(f, c, (k) + 4), FOUR(f, c, (k) + 8), FOUR(f, c, (k) + 12)
#define ALL(f, c)        {SIXTEEN(f, c, 0), SIXTEEN(f, c, 16), SIXTEEN(f, c, 32), SIXTEEN(f, c, 48)}
#define PIXEL_OF(c, k)   (k) / (c)
#define CHANNEL_OF(c, k) (k) % (c)
/* clang-format on */

/* Of number k, by channels - 1.  */
static const int32_t pixel_of[DIRECT_PLAIN][DIRECT_PLAIN * 16] = {
    ALL(PIXEL_OF, 1), ALL(PIXEL_OF, 2), ALL(PIXEL_OF, 3), ALL(PIXEL_OF, 4)};
static const int32_t channel_of[DIRECT_PLAIN][DIRECT_PLAIN * 16] = {
    ALL(CHANNEL_OF, 1), ALL(CHANNEL_OF, 2), ALL(CHANNEL_OF, 3), ALL(CHANNEL_OF, 4)};

#    undef FOUR
#    undef SIXTEEN
#    undef ALL
#    undef PIXEL_OF
#    undef CHANNEL_OF
#endif

/* Vector V of the pixels of C channels IN: its lanes are numbers k = V VL, ... of
 * them, which are channel k % C of pixel k / C.  */
INLINE vf woven(const int c, const int v, const vf *in)
{
#if defined(__AVX512F__)
    const vi pixel = _mm512_loadu_si512(pixel_of[c - 1] + v * VL);
    const vi channel = _mm512_loadu_si512(channel_of[c - 1] + v * VL);
    vf y = VF0;

    EACH (k, c)
        y = _mm512_mask_permutexvar_ps(y, _mm512_cmpeq_epi32_mask(channel, VI1(k)), pixel, in[k]);
    return y;
#elif defined(__AVX2__)
    const vi pixel = _mm256_loadu_si256((const vi *)(pixel_of[c - 1] + v * VL));
    const vi channel = _mm256_loadu_si256((const vi *)(channel_of[c - 1] + v * VL));
    vf y = VF0;

    EACH (k, c)
        y = _mm256_blendv_ps(y, _mm256_permutevar8x32_ps(in[k], pixel),
                             _mm256_castsi256_ps(_mm256_cmpeq_epi32(channel, VI1(k))));
    return y;
#else
    vf y;

    EACH (l, VL)
        y[l] = in[(v * VL + l) % c][(v * VL + l) / c];
    return y;
#endif
}

/* clang-format off */
#define PLAIN_ROW(name, number, put, number_of) \
    INLINE void name##_of(const int c, const struct direct *d, const float *x, number *y) \
    { \
        const int64_t area = d->in[0] * d->in[1], end = d->in[1], n = d->row * d->per; \
        int64_t j = least(d->pad[1] * c, n), w = 0; \
        \
        memset(y, 0, (size_t)j * sizeof *y); \
        for (; w + VL <= end && j + c * VL <= n; w += VL, j += c * VL) { \
            vf in[DIRECT_PLAIN]; \
            \
            EACH (k, c) \
                in[k] = vf_load(x + k * area + w); \
            EACH (v, c) \
                put(y + j + v * VL, woven(c, v, in)); \
        } \
        for (; w < end && j < n; w++) \
            for (int k = 0; k < c && j < n; k++, j++) \
                y[j] = number_of(x[k * area + w]); \
        memset(y + j, 0, (size_t)(n - j) * sizeof *y); \
    } \
    static void name(const struct direct *d, const float *x, number *y) \
    { \
        switch (d->c) { \
        case 1: name##_of(1, d, x, y); break; \
        case 2: name##_of(2, d, x, y); break; \
        case 3: name##_of(3, d, x, y); break; \
        default: name##_of(DIRECT_PLAIN, d, x, y); \
        } \
    }
/* clang-format on */

#endif
