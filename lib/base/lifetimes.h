/* lifetimes.h -- buffers of one block, which share bytes where their lives do
 * not meet.
 * SPDX-License-Identifier: MIT
 *
 * Greedy by size: largest first, each at the lowest offset that is free
 * throughout its life (Pisarchyk, Lee, "Efficient memory management for deep
 * neural net inference", 2020).  */
#ifndef ADZE_BASE_LIFETIMES_H
#define ADZE_BASE_LIFETIMES_H

#include <stddef.h>
#include <stdint.h>

/* A buffer that is used at the steps FIRST to LAST.  */
struct lifetime {
    size_t bytes;
    int first, last;
    int64_t at;     /* its offset, when placed */
    int64_t *where; /* is told as well */
};

/* Place the N buffers, which are sorted for it; returns the bytes of the
 * block.  Offsets are multiples of whatever divides every size.  */
size_t lifetimes_place(struct lifetime *item, int n);

#endif
