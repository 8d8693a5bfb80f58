/* transpose.h -- a matrix of floats turned, in blocks held in registers.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_TRANSPOSE_H
#define ADZE_CPU_TRANSPOSE_H

#include "cpu/vec.h"

#if defined(__AVX2__)
enum { TRANSPOSE = 8 };

/* 8 x 8: to[j ld_to + i] = from[i ld_from + j].  */
INLINE void transpose_block(float *to, int64_t ld_to, const float *from, int64_t ld_from)
{
    __m256 r[8], t[8];

    EACH (i, 4) {
        const float *p = from + i * ld_from, *q = from + (i + 4) * ld_from;

        r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(q), 1);
        r[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 4)),
                                        _mm_loadu_ps(q + 4), 1);
    }
    EACH (h, 2) {
        const int i = 4 * h;

        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
        t[i + 2] = _mm256_unpacklo_ps(r[i + 2], r[i + 3]);
        t[i + 3] = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
    }
    EACH (h, 2) {
        const int i = 4 * h;

        _mm256_storeu_ps(to + i * ld_to, _mm256_shuffle_ps(t[i], t[i + 2], 0x44));
        _mm256_storeu_ps(to + (i + 1) * ld_to, _mm256_shuffle_ps(t[i], t[i + 2], 0xee));
        _mm256_storeu_ps(to + (i + 2) * ld_to, _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44));
        _mm256_storeu_ps(to + (i + 3) * ld_to, _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee));
    }
}
#else
enum { TRANSPOSE = 4 };

INLINE void transpose_block(float *to, int64_t ld_to, const float *from, int64_t ld_from)
{
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            to[j * ld_to + i] = from[i * ld_from + j];
}
#endif

/* to[j ld_to + i] = from[i ld_from + j] for i < ROWS, j < COLS.  */
INLINE void transpose(float *to, int64_t ld_to, const float *from, int64_t ld_from, int64_t rows,
                      int64_t cols)
{
    int64_t i = 0;

    for (; i + TRANSPOSE <= rows; i += TRANSPOSE) {
        int64_t j = 0;

        for (; j + TRANSPOSE <= cols; j += TRANSPOSE)
            transpose_block(to + j * ld_to + i, ld_to, from + i * ld_from + j, ld_from);
        for (; j < cols; j++)
            for (int64_t k = i; k < i + TRANSPOSE; k++)
                to[j * ld_to + k] = from[k * ld_from + j];
    }
    for (; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            to[j * ld_to + i] = from[i * ld_from + j];
}

#endif
