/* peak_avx2.c -- chains of multiply-adds in registers: see peak.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/peak.h"

#include <immintrin.h>

enum { CHAINS = 10 };

double peak_run_avx2(long n, float *sink)
{
    const __m256 x = _mm256_set1_ps(0.9999f), y = _mm256_set1_ps(0.0001f);
    __m256 a[CHAINS];
    float out[8];

#pragma GCC unroll 10
    for (int k = 0; k < CHAINS; k++)
        a[k] = _mm256_set1_ps((float)k); /* chains that differ */
    for (long i = 0; i < n; i++) {
#pragma GCC unroll 10
        for (int k = 0; k < CHAINS; k++)
            a[k] = _mm256_fmadd_ps(a[k], x, y);
    }
    for (int k = 1; k < CHAINS; k++)
        a[0] = _mm256_add_ps(a[0], a[k]);
    _mm256_storeu_ps(out, a[0]);
    *sink += out[0];
    return 2.0 * 8 * CHAINS * (double)n;
}
