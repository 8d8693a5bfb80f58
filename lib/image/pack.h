/* pack.h -- pictures into arrays.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_IMAGE_PACK_H
#define ADZE_IMAGE_PACK_H

#include "image/image.h"

/* y[c][h][w] = (x[h][w][c] / 255 - mean[c]) / std[c], computed in float as
 * torchvision's ToTensor and Normalize do, in that order.  BGR swaps R and B
 * first, MIRROR left and right.  Y holds 3 * h * w floats.  */
void pack_chw(float *y, const struct image *im, const float mean[3],
              const float std[3], int bgr, int mirror);

#endif
