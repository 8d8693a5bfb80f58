/* outer.h -- the outer product in registers that blocked kernels share: MR
 * pixels by PANELS groups of 16 channels.
 * SPDX-License-Identifier: MIT
 *
 * For each k one vector of weights a channel vector, one number of x a pixel.
 * Every sum is one chain over k.  */
#ifndef ADZE_CPU_OUTER_H
#define ADZE_CPU_OUTER_H

#include "cpu/vec.h"
#include "graph/layout.h"

/* As many sums as registers hold.  A panel is PV vectors.  Where weights have 7 bits
 * (vec8.h) a product needs two registers more: weights are read again for each
 * pixel then, as operands of its instructions.  */
enum { PV = LANES / VL };
#if defined(__AVX512F__)
enum { MR = 14, PANELS = 2 };
#elif defined(__AVX2__)
enum { MR = 6, PANELS = 1 };
#else
enum { MR = 3, PANELS = 1 };
#endif
#if defined(SEVEN)
enum { READS_AGAIN = 1 };
#else
enum { READS_AGAIN = 0 };
#endif

/* a[vector][pixel] += x[pixel][k] w[k][16], the weights of the second panel PANEL
 * slots behind those of the first; M pixels, NV vectors.  Pixel i lies at X + i PIXEL
 * bytes, of the second half at X2 + i PIXEL: a gap behind the first, or none; ALL
 * makes a vector of the slot at an address, which may be any.  If ASKS, weights FAR
 * slots behind are asked for.
 *
 * Both halves are read from their second pixel on: distances of one byte then,
 * where four would not leave the decoder the time to go ahead of the products:
 * on AVX2 2 % of them.  IN_ORDER, x of a pixel is read when the one before has been
 * multiplied, as written: compilers that read all of it first have no registers
 * left for 28 sums.  */
#if defined(__AVX512F__)
#    define IN_ORDER(x, x2, sum) __asm__("" : "+r"(x), "+r"(x2), "+v"(sum))
#else
#    define IN_ORDER(x, x2, sum) (void)0
#endif
/* clang-format off */
#define OUTER(name, slot, vec, load, all, product) \
    INLINE void name(const int m, const int nv, const int64_t pixel, const void *px, \
                     const void *px2, const slot *w, int64_t panel, const int asks, int64_t far, \
                     int64_t kn, vec (*a)[MR]) \
    { \
        const int half = m / 2, base = half > 1, base2 = half + (m - half > 1); \
        const char *x = (const char *)px + base * pixel, *x2 = (const char *)px2 + base2 * pixel; \
        const slot *const end = w + kn * LANES; \
        \
        for (; w < end; w += LANES, x += sizeof(slot), x2 += sizeof(slot)) { \
            vec b[PANELS * PV]; \
            EACH (v, nv) \
                b[v] = load(w + v / PV * panel + v % PV * VL); \
            if (asks) \
                EACH (v, nv / PV) \
                    __builtin_prefetch(w + far + v * panel); \
            EACH (i, m) { \
                vec p; \
                \
                if (i) { \
                    IN_ORDER(x, x2, a[0][i - 1]); \
                } \
                p = all(i < half ? x + (i - base) * pixel : x2 + (i - base2) * pixel); \
                if (i && READS_AGAIN) { \
                    __asm__("" : "+r"(w), "+r"(x), "+r"(x2)); /* anew, to the compiler */ \
                    EACH (v, nv) \
                        b[v] = load(w + v / PV * panel + v % PV * VL); \
                } \
                EACH (v, nv) \
                    a[v][i] = product(p, b[v], a[v][i]); \
            } \
        } \
    }
/* clang-format on */

/* Tiles of neighbouring panels ask for the next ones, from the second cache into the
 * first: vectors of 512 bits leave that the time.  On AVX2 it costs 5 % of a
 * ResNet-50.  */
enum { OUTER_ASKS = VL == 16 };

/* The slot at P.  */
INLINE int32_t slot_at(const void *p)
{
    int32_t s;

    __builtin_memcpy(&s, p, sizeof s);
    return s;
}

#define slot_all(p)  VI1(slot_at(p))
#define float_all(p) VF1(*(const float *)(p))
OUTER(outer, float, vf, vf_load, float_all, vf_fma)

#endif
