/* peak_8_body.h -- chains of products of 8 bits in registers, as kernels sum
 * them (vec8.h): see peak.h; compiled once per instruction set, without VNNI for
 * weights of 7 bits.
 * SPDX-License-Identifier: MIT  */
#include "cpu/peak.h"
#include "cpu/vec8.h"

/* Chains that hide the time of one step, and fit the registers.  */
enum { CHAINS = VL == 16 ? 20 : 10 };

double FAMILY(peak_, _run)(long n, float *sink)
{
    int32_t sums[CHAINS * VL];
    vi a[CHAINS], w = VI1(PER == 4 ? 0x01010101 : 0x00010001);

    EACH (k, CHAINS)
        a[k] = VI1(k);
    for (long i = 0; i < n; i++)
        EACH (k, CHAINS) {
            __asm__("" : "+v"(w)); /* lest all chains share one product */
            a[k] = vi_mac(w, w, a[k]);
        }
    EACH (k, CHAINS)
        vi_store(sums + k * VL, a[k]);
    for (int k = 0; k < CHAINS * VL; k++)
        *sink += (float)sums[k];
    return 2.0 * PER * VL * CHAINS * (double)n;
}
