/* partition.h -- a picture of tokens in windows: what windowpartition,
 * windowreverse and windowbias share.
 * SPDX-License-Identifier: MIT
 *
 * A grid of H x W tokens, row by row, is filled up below and at the right to
 * multiples of the window's side, then moved up and left by SHIFT around the
 * edges, then cut into windows, row by row too.  Token t of window w stands at
 * row t / side + side (w / across) of what was moved.  */
#ifndef ADZE_OP_PARTITION_H
#define ADZE_OP_PARTITION_H

#include "base/real.h"
#include "graph/op.h"

struct err;
struct node;

/* [0]: down, [1]: across.  */
struct partition {
    int64_t grid[2], side, shift;
    int64_t windows[2], count; /* in all */
    int64_t tokens;            /* of a window */
};

/* From the attributes grid, size and shift of N, which partition_check() found
 * right.  */
struct partition partition_of(const struct node *n);

/* For infer: grid is two sizes, size a side, shift less than that.  */
int partition_check(const struct node *n, struct err *e);

/* Windows TO [N COUNT,TOKENS,C] of pictures FROM [N,H W,C], zeros where the
 * grid was filled up; and back.  */
void partition_cut(const struct partition *p, int64_t n, int64_t c,
                   const real *from, real *to);
void partition_put(const struct partition *p, int64_t n, int64_t c,
                   const real *from, real *to);

/* The part of the picture, from 0 to 2, that row (AXIS 0) or column AT of
 * window W along that axis comes from: those before the last window, those in
 * it that did not wrap around, those that did.  */
int partition_part(const struct partition *p, int axis, int64_t w, int64_t at);

#endif
