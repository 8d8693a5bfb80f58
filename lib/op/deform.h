/* deform.h -- where deformable convolution reads: see deformconv2d.c.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_OP_DEFORM_H
#define ADZE_OP_DEFORM_H

#include "op/bilinear.h"
#include "op/window.h"

struct deform {
    struct window w;
    int64_t n, c, k;    /* images, channels in and out */
    int64_t cg, kg;     /* the same of one group */
    int64_t o, co;      /* offset groups, channels of one */
    int64_t px, pw, py; /* elements of a plane of x, weight, y */
};

/* Of a node whose attributes are complete, X and Y bound.  */
struct deform deform_of(const struct node *n, const struct shape *x,
                        const struct shape *y);

/* A place between pixels, and the weight of what is read there.  */
struct deform_spot {
    struct bilinear b;
    double mask;
};

/* Where tap T of offset group O reads at output I (= p Q + q).  OFFSET and
 * MASK (NULL: none) are those of the image.  */
struct deform_spot deform_spot(const struct deform *g, const real *offset,
                               const real *mask, int64_t o, int64_t t,
                               int64_t i);

#endif
