/* pack_avx2.c -- a row of pixels, eight by eight.
 * SPDX-License-Identifier: MIT
 *
 * The two divisions stay divisions, so the result is that of the plain loop
 * in pack.c to the bit; memory is slower than they are.  */
#include "image/pack_row.h"

#include <immintrin.h>

/* Which of the bytes from AT on hold component C of the eight pixels.  */
static __m128i places(int at, int c, int mirror)
{
    int8_t from[16];

    for (int i = 0; i < 16; i++)
        from[i] = -1;
    for (int i = 0; i < PACK_PIXELS; i++) {
        const int k = 3 * i + c - at;

        if (k >= 0 && k < 16 && (at == 0 || k + at >= 16))
            from[mirror ? PACK_PIXELS - 1 - i : i] = (int8_t)k;
    }
    return _mm_loadu_si128((const void *)from);
}

void pack_row_avx2(float *y, const uint8_t *x, int w, int c, float mean,
                   float std, int mirror)
{
    const __m128i first = places(0, c, mirror), last = places(8, c, mirror);
    const __m256 most = _mm256_set1_ps(255), m = _mm256_set1_ps(mean),
                 s = _mm256_set1_ps(std);

    for (int i = 0; i < w; i += PACK_PIXELS, x += 3 * PACK_PIXELS) {
        const __m128i a = _mm_loadu_si128((const void *)x),
                      b = _mm_loadu_si128((const void *)(x + 8)),
                      v = _mm_or_si128(_mm_shuffle_epi8(a, first),
                                       _mm_shuffle_epi8(b, last));
        const __m256 f = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(v));

        _mm256_storeu_ps(
            y + (mirror ? w - PACK_PIXELS - i : i),
            _mm256_div_ps(_mm256_sub_ps(_mm256_div_ps(f, most), m), s));
    }
}
