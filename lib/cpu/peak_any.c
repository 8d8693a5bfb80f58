/* peak_any.c -- chains of multiply-adds in portable C: see peak.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/peak.h"

enum { CHAINS = 16 };

double peak_run_any(long n, float *sink)
{
    float a[CHAINS];
    const float x = 0.9999f, y = 0.0001f;

    for (int k = 0; k < CHAINS; k++) /* chains that differ */
        a[k] = (float)k;
    for (long i = 0; i < n; i++)
        for (int k = 0; k < CHAINS; k++)
            a[k] = a[k] * x + y;
    for (int k = 0; k < CHAINS; k++)
        *sink += a[k];
    return 2.0 * CHAINS * (double)n;
}
