/* resize_taps.h -- the weights of a resize, and a faster way to apply them.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_IMAGE_RESIZE_TAPS_H
#define ADZE_IMAGE_RESIZE_TAPS_H

#include <stddef.h>
#include <stdint.h>

/* Weights have TAPS_BITS fractional bits; sums start at one half and wrap in
 * 32 bits, so any order and any splitting gives the same.  */
enum {
    TAPS_BITS = 32 - 8 - 2,
    TAPS_HALF = 1 << (TAPS_BITS - 1),
    TAPS_LOW = 12
};

/* Output I is the sum of weight[I * most + t] times input first[I] + t for
 * t < count[I].  Weights from there up to MOST, a multiple of 4, are 0.
 * weight = high << TAPS_LOW | low.  */
struct taps {
    int most;
    int *first, *count;
    int32_t *weight;
    int16_t *low, *high; /* in one block, low's */
};

enum { RESIZE_ROWS = 4 };

/* Each does as much as it can and says how much.  */
struct resize_fast {
    /* RESIZE_ROWS rows, STRIDE apart, to the W pixels of T, TO_STRIDE apart.
     * BELOW rows follow the last in memory.  Returns how many of the W are
     * done.  */
    int (*across)(uint8_t *to, size_t to_stride, const uint8_t *from,
                  size_t stride, int w, int below, const struct taps *t);
    /* Output row Y of T from rows of N bytes that lie one behind the other.
     * Returns how many of the N bytes are done.  */
    size_t (*down)(uint8_t *to, const uint8_t *rows, size_t n,
                   const struct taps *t, int y);
};

extern const struct resize_fast resize_avx2; /* on x86-64 */

#endif
