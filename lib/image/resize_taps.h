/* resize_taps.h -- the weights of a resize, and a faster way to apply them.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_IMAGE_RESIZE_TAPS_H
#define ADZE_IMAGE_RESIZE_TAPS_H

#include <stddef.h>
#include <stdint.h>

#include "image/resize.h"

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
    int16_t *low, *high; /* in one block, low's; NULL where pixels are picked */
};

/* How resize_box() makes the part B of W x H pixels TO_W x TO_H, which it can:
 * the weights across into T[0], down into T[1].  Returns whether it goes down
 * first.  Release both.  */
int resize_taps(struct taps t[2], int w, int h, const struct box *b, int to_w,
                int to_h, enum resize_kernel k);
void resize_taps_release(struct taps *t);

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
