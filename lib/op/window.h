/* window.h -- the geometry that convolution and pooling share: a window that
 * slides over the last two sizes of [N,C,H,W].
 * SPDX-License-Identifier: MIT
 *
 * Along one direction the window at output p covers the inputs
 * p stride - pad + j dilation, j in [0, kernel); those outside [0, in) are
 * padding.  */
#ifndef ADZE_OP_WINDOW_H
#define ADZE_OP_WINDOW_H

#include "graph/op.h"

struct err;
struct node;

/* [0]: height, [1]: width.  */
struct window {
    int64_t in[2], out[2], kernel[2], stride[2], dilation[2];
    int64_t pad[4]; /* top, left, bottom, right */
};

/* For infer: complete the attributes kernel, stride (0: as the kernel), pad,
 * dilation (1 where the op has none) and ceil_mode (no where it has none) of
 * N over the input X, and work out the output sizes.  With ceil_mode the last
 * window may hang over the edge if it begins inside the input or the padding
 * in front (torch's rule).  ERR_USAGE, ERR_SHAPE.  */
int window_infer(struct window *w, struct node *n, const struct shape *x,
                 struct err *e);

/* For infer of pooling: padding is at most half of the window, so that each
 * window holds something.  ERR_USAGE.  */
int window_pool(const struct window *w, struct err *e);

/* A window from a node whose attributes are complete.  */
struct window window_of(const struct node *n, const struct shape *x,
                        const struct shape *y);

/* Along direction D the window at output P begins at *START, and its taps in
 * [*LO, *HI) lie inside the input.  */
void window_taps(const struct window *w, int d, int64_t p, int64_t *start,
                 int64_t *lo, int64_t *hi);

#endif
