/* peak_body.h -- chains of multiply-adds in registers: see peak.h; compiled once
 * per instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/peak.h"
#include "cpu/vec.h"

/* Chains that hide the time of one step, and fit the registers.  */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { CHAINS = 20 };
#elif defined(__AVX2__)
enum { CHAINS = 10 };
#else
enum { CHAINS = 12 };
#endif

#if defined(__AVX512BF16__)
enum { PRODUCTS = 2 }; /* of a lane */
#    define next(a)                                              \
        _mm512_dpbf16_ps(a, (__m512bh)_mm512_set1_epi16(0x3c00), \
                         (__m512bh)_mm512_set1_epi16(0x3c00)) /* 2^-7 */
#else
enum { PRODUCTS = 1 };
#    define next(a) vf_fma(a, VF1(0.9999f), VF1(0.0001f))
#endif

double ISA(peak_run)(long n, float *sink)
{
    vf a[CHAINS];

    EACH (k, CHAINS)
        a[k] = VF1((float)k); /* chains that differ */
    for (long i = 0; i < n; i++)
        EACH (k, CHAINS)
            a[k] = next(a[k]);
    EACH (k, CHAINS)
        *sink += vf_sum(a[k]);
    return 2.0 * PRODUCTS * VL * CHAINS * (double)n;
}
