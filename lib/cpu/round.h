/* round.h -- whole numbers that cut work into pieces.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_CPU_ROUND_H
#define ADZE_CPU_ROUND_H

#include <stdint.h>

#include "graph/layout.h"

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Pieces of D that hold N.  */
static inline int64_t up(int64_t n, int64_t d)
{
    return (n + d - 1) / d;
}

/* N in whole pieces of D.  */
static inline int64_t round_up(int64_t n, int64_t d)
{
    return up(n, d) * d;
}

/* Where piece I of N begins, if PIECES hold much the same each.  */
static inline int64_t piece(int64_t n, int64_t pieces, int64_t i)
{
    return n * i / pieces;
}

/* C channels in whole vectors.  */
static inline int64_t lanes_of(int64_t c)
{
    return round_up(c, LANES);
}

static inline int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        const int64_t t = a % b;

        a = b;
        b = t;
    }
    return a;
}

#endif
