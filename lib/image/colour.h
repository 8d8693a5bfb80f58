/* colour.h -- brightness, contrast, saturation, hue and their kin, in place,
 * equal to Pillow's ImageEnhance, ImageOps and torchvision's PIL backend.
 * SPDX-License-Identifier: MIT
 *
 * FACTOR 1 leaves the picture as it is; 0 gives black (brightness), the grey
 * mean (contrast), the grey picture (saturation).  */
#ifndef ADZE_IMAGE_COLOUR_H
#define ADZE_IMAGE_COLOUR_H

#include "image/image.h"

void colour_brightness(struct image *im, double factor);
void colour_contrast(struct image *im, double factor);
void colour_saturation(struct image *im, double factor);
/* SHIFT in turns, -0.5 .. 0.5, through 8-bit HSV as torchvision's PIL
 * adjust_hue does.  */
void colour_hue(struct image *im, double shift);
void colour_grey(struct image *im); /* Pillow's L, in three channels */
void colour_invert(struct image *im);
void colour_posterize(struct image *im, int bits);
void colour_solarize(struct image *im, int threshold);
void colour_autocontrast(struct image *im);
void colour_equalize(struct image *im);
struct err;
int colour_sharpness(struct image *im, double factor, struct err *e);

#endif
