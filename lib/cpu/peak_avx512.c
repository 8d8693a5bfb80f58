/* peak_avx512.c -- chains of multiply-adds in registers: see peak.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/peak.h"

#include <immintrin.h>

enum { CHAINS = 20 };

double peak_run_avx512(long n, float *sink)
{
    const __m512 x = _mm512_set1_ps(0.9999f), y = _mm512_set1_ps(0.0001f);
    __m512 a[CHAINS];
    float out[16];

#pragma GCC unroll 20
    for (int k = 0; k < CHAINS; k++)
        a[k] = _mm512_set1_ps((float)k); /* chains that differ */
    for (long i = 0; i < n; i++) {
#pragma GCC unroll 20
        for (int k = 0; k < CHAINS; k++)
            a[k] = _mm512_fmadd_ps(a[k], x, y);
    }
    for (int k = 1; k < CHAINS; k++)
        a[0] = _mm512_add_ps(a[0], a[k]);
    _mm512_storeu_ps(out, a[0]);
    *sink += out[0];
    return 2.0 * 16 * CHAINS * (double)n;
}
