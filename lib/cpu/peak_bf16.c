/* peak_bf16.c -- chains of products of bf16 in registers: see peak.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/peak.h"

#include <immintrin.h>

enum { CHAINS = 20 };

double peak_run_bf16(long n, float *sink)
{
    const __m512bh x = (__m512bh)_mm512_set1_epi16(0x3c00); /* 2^-7 */
    __m512 a[CHAINS];
    float out[16];

#pragma GCC unroll 20
    for (int k = 0; k < CHAINS; k++)
        a[k] = _mm512_set1_ps((float)k); /* chains that differ */
    for (long i = 0; i < n; i++) {
#pragma GCC unroll 20
        for (int k = 0; k < CHAINS; k++)
            a[k] = _mm512_dpbf16_ps(a[k], x, x);
    }
    for (int k = 1; k < CHAINS; k++)
        a[0] = _mm512_add_ps(a[0], a[k]);
    _mm512_storeu_ps(out, a[0]);
    *sink += out[0];
    return 4.0 * 16 * CHAINS * (double)n;
}
