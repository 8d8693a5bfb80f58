/* upsample.h -- which pixels a picture of another size reads (upsample.c).
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_OP_UPSAMPLE_H
#define ADZE_OP_UPSAMPLE_H

#include "graph/op.h"

struct node;

/* Along one direction.  */
struct upsample_side {
    int64_t in, out;
    int nearest, align;
};

/* Output I reads inputs LO and HI, the latter by PART.  */
struct upsample_tap {
    int64_t lo, hi;
    double part;
};

/* Direction D (0: height) of node N from maps of shape X to those of Y.  */
struct upsample_side upsample_side(const struct node *n, const struct shape *x,
                                   const struct shape *y, int d);

struct upsample_tap upsample_tap(const struct upsample_side *s, int64_t i);

#endif
