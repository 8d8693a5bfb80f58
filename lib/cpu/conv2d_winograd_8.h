/* conv2d_winograd_8.h -- winograd.h for u8 values and i8 weights, in whole
 * numbers: the sums of conv2d_direct_8.h, to the bit.
 * SPDX-License-Identifier: MIT
 *
 * Tiles are of 2 x 2, whose transforms are whole numbers if the filter's is
 * taken twice along each axis:
 *
 *     V = B' D B            |V| <= 4 x 255
 *     U = (2 G) g (2 G)'    |U| <= 9 x 128
 *     4 Y = A' [ sum over c of U V ] A
 *
 * V and U fit 16 bits and are multiplied in pairs of channels, 16 products for
 * each 4 outputs instead of 36.  Sums are modulo 2^32, so that only 4 Y must
 * fit 32 bits: 4 x 255 x 128 x 9 C < 2^31, C is at most 1827.  What lies outside
 * x has the level of zero, as in conv2d_direct_8.h, and what is done to the sums
 * is the same.
 *
 * A number that a transform makes of 16 channels is one vector of 16 bits.
 * Weights are packed as [O/16][point][slot of 2 channels][16][2], and behind
 * them the sum of the weights of each output.
 *
 * It is for AVX2: with VNNI the direct sums take four bytes at once, and with
 * vectors of 512 bits they should be as fast (not measured).  */
#ifndef ADZE_CPU_CONV2D_WINOGRAD_8_H
#define ADZE_CPU_CONV2D_WINOGRAD_8_H

#include "cpu/store_8.h"
#include "cpu/winograd.h"

enum { WINOGRAD8_SIDE = 2, WINOGRAD8_INPUTS = 4 };

struct winograd8_run {
    const struct winograd *g;
    const uint8_t *x;
    int outside;      /* the level of zero */
    int64_t slots;    /* of an output at a point */
    const int32_t *u; /* in slots */
    struct store8 to;
    int32_t *scratch;
};

int conv2d_winograd_8_accepts(const struct step_nodes *s);
size_t conv2d_winograd_8_scratch(const struct winograd_isa *isa, const struct step_nodes *s,
                                 int threads);
size_t conv2d_winograd_8_pack_bytes(const struct step_nodes *s, int i);
void conv2d_winograd_8_pack(const struct step_nodes *s, int i, const struct tensor *t, void *to);
void conv2d_winograd_8_run(const struct winograd_isa *isa, const struct kernel_args *a);

#endif
