/* peak_neon.c -- chains of multiply-adds in registers: see peak.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/peak.h"

#include <arm_neon.h>

enum { CHAINS = 20 };

double peak_run_neon(long n, float *sink)
{
    const float32x4_t x = vdupq_n_f32(0.9999f), y = vdupq_n_f32(0.0001f);
    float32x4_t a[CHAINS];

#pragma GCC unroll 20
    for (int k = 0; k < CHAINS; k++)
        a[k] = vdupq_n_f32((float)k); /* chains that differ */
    for (long i = 0; i < n; i++) {
#pragma GCC unroll 20
        for (int k = 0; k < CHAINS; k++)
            a[k] = vfmaq_f32(y, a[k], x);
    }
    for (int k = 1; k < CHAINS; k++)
        a[0] = vaddq_f32(a[0], a[k]);
    *sink += vgetq_lane_f32(a[0], 0);
    return 2.0 * 4 * CHAINS * (double)n;
}
