/* resize.h -- another size: nearest, bilinear, bicubic (a = -0.5) and box, with
 * antialiasing, equal to Pillow's Image.resize(..., reducing_gap=None) to the
 * bit.
 * SPDX-License-Identifier: MIT
 *
 * Separable; weights rounded to 8.22-bit fixed point, the result rounded and
 * clipped after each of the two passes.  Across first, unless the height
 * shrinks by more than twice as many pixels as the width: so does Pillow from
 * version 13 on.  Older ones always go across first, which rounds
 * differently for tall and narrow pictures.  */
#ifndef ADZE_IMAGE_RESIZE_H
#define ADZE_IMAGE_RESIZE_H

#include "image/image.h"

struct err;

enum resize_kernel {
    RESIZE_NEAREST,
    RESIZE_BILINEAR,
    RESIZE_BICUBIC,
    RESIZE_BOX
};

extern const char *const resize_names[]; /* "nearest" ..., NULL-ended */

/* The part [x, x+w) x [y, y+h) of IM (Pillow's `box') as W x H pixels.
 * x, y >= 0; the box lies inside; w, h > 0.  */
int resize_box(struct image *to, const struct image *im, const struct box *b,
               int w, int h, enum resize_kernel k, struct err *e);
int resize(struct image *to, const struct image *im, int w, int h,
           enum resize_kernel k, struct err *e);

/* The size of IM with the shorter side S, the longer as torchvision rounds
 * it: (int)(s * long / short).  */
void resize_short_size(int w, int h, int s, int *nw, int *nh);

#endif
