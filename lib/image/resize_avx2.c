/* resize_avx2.c -- weighted sums of pixels, two by two.
 * SPDX-License-Identifier: MIT
 *
 * A weight has 23 bits and a sign, vpmaddwd takes 16: the two parts of the
 * weights are summed apart and joined at the end.  Integers, so the result
 * is that of the plain loops in resize.c to the bit.  */
#include "image/resize_taps.h"

#include <immintrin.h>
#include <string.h>

static __m256i load64(const int16_t *p)
{
    int64_t v;

    memcpy(&v, p, sizeof v);
    return _mm256_set1_epi64x(v);
}

static __m256i load32(const int16_t *p)
{
    int32_t v;

    memcpy(&v, p, sizeof v);
    return _mm256_set1_epi32(v);
}

/* Four pixels: r0 r1 g0 g1 b0 b1 in the low lane, 2 and 3 in the high; and
 * the weights to go with them.  */
#define _ -1
static const int8_t pixel_order[32] = {0,  _, 3, _, 1,  _, 4, _, 2, _, 5,
                                       _,  _, _, _, _,  6, _, 9, _, 7, _,
                                       10, _, 8, _, 11, _, _, _, _, _};
static const int8_t weight_order[32] = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2,
                                        3, _, _, _, _, 4, 5, 6, 7, 4, 5,
                                        6, 7, 4, 5, 6, 7, _, _, _, _};
#undef _

/* The two partial sums of a row: a pixel's in each lane.  */
static __m256i joined(__m256i low, __m256i high)
{
    return _mm256_add_epi32(low, _mm256_slli_epi32(high, TAPS_LOW));
}

/* The pixels of rows A and B, one in each lane.  */
static __m256i two_pixels(__m256i a, __m256i b)
{
    const __m256i sum = _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                                         _mm256_permute2x128_si256(a, b, 0x31));

    return _mm256_srai_epi32(
        _mm256_add_epi32(sum, _mm256_set1_epi32(TAPS_HALF)), TAPS_BITS);
}

static void put(uint8_t *to, int rgb)
{
    memcpy(to, &rgb, sizeof rgb);
}

/* One pixel of each row from its partial sums, and a byte more.  */
static void put_pixels(uint8_t *to, size_t stride, const __m256i *low,
                       const __m256i *high)
{
    const __m256i v = _mm256_packs_epi32(
        two_pixels(joined(low[0], high[0]), joined(low[1], high[1])),
        two_pixels(joined(low[2], high[2]), joined(low[3], high[3])));
    const __m256i bytes = _mm256_packus_epi16(v, v);
    const __m128i even = _mm256_castsi256_si128(bytes),
                  odd = _mm256_extracti128_si256(bytes, 1);

    put(to, _mm_cvtsi128_si32(even));
    put(to + stride, _mm_cvtsi128_si32(odd));
    put(to + 2 * stride, _mm_extract_epi32(even, 1));
    put(to + 3 * stride, _mm_extract_epi32(odd, 1));
}

/* The outputs that can be made without reading past the last row's end, where
 * groups of four pixels are read with 16 bytes: those in front of the first
 * that cannot, as the last may have fewer groups than those before it.  */
static int reach(size_t stride, int w, const struct taps *t)
{
    int n = 0;

    while (n < w &&
           3 * (size_t)t->first[n] + 12 * (((size_t)t->count[n] + 3) / 4) + 4 <=
               stride)
        n++;
    return n;
}

static int across(uint8_t *to, size_t to_stride, const uint8_t *from,
                  size_t stride, int w, int below, const struct taps *t)
{
    const __m256i pixels = _mm256_loadu_si256((const void *)pixel_order),
                  weights = _mm256_loadu_si256((const void *)weight_order);
    uint8_t last[4 * RESIZE_ROWS];

    if (!below || stride < 16)
        w = reach(stride, w, t);
    for (int x = 0; x < w; x++) {
        const uint8_t *p = from + 3 * (size_t)t->first[x];
        const size_t at = (size_t)x * (size_t)t->most;
        __m256i low[RESIZE_ROWS], high[RESIZE_ROWS];

#pragma GCC unroll 4 /* sums in registers */
        for (int r = 0; r < RESIZE_ROWS; r++)
            low[r] = high[r] = _mm256_setzero_si256();
        for (int i = 0; i < t->count[x]; i += 4, p += 12) {
            const __m256i kl = _mm256_shuffle_epi8(
                              load64(t->low + at + (size_t)i), weights),
                          kh = _mm256_shuffle_epi8(
                              load64(t->high + at + (size_t)i), weights);

#pragma GCC unroll 4
            for (int r = 0; r < RESIZE_ROWS; r++) {
                const __m128i raw =
                    _mm_loadu_si128((const void *)(p + (size_t)r * stride));
                const __m256i v = _mm256_shuffle_epi8(
                    _mm256_broadcastsi128_si256(raw), pixels);

                low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(v, kl));
                high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(v, kh));
            }
        }
        put_pixels(x < w - 1 ? to + 3 * (size_t)x : last,
                   x < w - 1 ? to_stride : 4, low, high);
    }
    for (int r = 0; w && r < RESIZE_ROWS; r++)
        memcpy(to + (size_t)r * to_stride + 3 * (size_t)(w - 1), last + 4 * r,
               3);
    return w;
}

/* Eight sums of 32 bits, shifted to their place.  */
static __m256i finish(__m256i low, __m256i high)
{
    const __m256i sum = _mm256_add_epi32(
        _mm256_add_epi32(low, _mm256_slli_epi32(high, TAPS_LOW)),
        _mm256_set1_epi32(TAPS_HALF));

    return _mm256_srai_epi32(sum, TAPS_BITS);
}

/* 32 bytes: rows in pairs, their bytes side by side.  */
static void down_32(uint8_t *to, const uint8_t *rows, size_t stride,
                    const int16_t *low, const int16_t *high, int count)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i l[4] = {zero, zero, zero, zero}, h[4] = {zero, zero, zero, zero};

    for (int r = 0; r < count; r += 2) {
        const uint8_t *p = rows + (size_t)r * stride;
        const __m256i a = _mm256_loadu_si256((const void *)p),
                      b = r + 1 < count
                              ? _mm256_loadu_si256((const void *)(p + stride))
                              : zero,
                      first = _mm256_unpacklo_epi8(a, b),
                      last = _mm256_unpackhi_epi8(a, b), kl = load32(low + r),
                      kh = load32(high + r);
        const __m256i v[4] = {_mm256_unpacklo_epi8(first, zero),
                              _mm256_unpackhi_epi8(first, zero),
                              _mm256_unpacklo_epi8(last, zero),
                              _mm256_unpackhi_epi8(last, zero)};

#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            l[i] = _mm256_add_epi32(l[i], _mm256_madd_epi16(v[i], kl));
            h[i] = _mm256_add_epi32(h[i], _mm256_madd_epi16(v[i], kh));
        }
    }
    _mm256_storeu_si256(
        (void *)to,
        _mm256_packus_epi16(
            _mm256_packs_epi32(finish(l[0], h[0]), finish(l[1], h[1])),
            _mm256_packs_epi32(finish(l[2], h[2]), finish(l[3], h[3]))));
}

static size_t down(uint8_t *to, const uint8_t *rows, size_t n,
                   const struct taps *t, int y)
{
    const size_t at = (size_t)y * (size_t)t->most;
    const int16_t *low = t->low + at, *high = t->high + at;

    if (n < 32)
        return 0;
    for (size_t i = 0; i + 32 <= n; i += 32)
        down_32(to + i, rows + i, n, low, high, t->count[y]);
    if (n % 32) /* the last 32, some of them again */
        down_32(to + n - 32, rows + n - 32, n, low, high, t->count[y]);
    return n;
}

const struct resize_fast resize_avx2 = {across, down};
