/* geometry.h -- crop, flip, pad, turn, affine.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_IMAGE_GEOMETRY_H
#define ADZE_IMAGE_GEOMETRY_H

#include "image/image.h"

struct err;

enum pad_mode { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT };
extern const char *const pad_names[];

/* W x H pixels from (X, Y); what lies outside is FILL.  */
int geometry_crop(struct image *to, const struct image *im, int x, int y, int w,
                  int h, const uint8_t fill[3], struct err *e);
/* Where the middle WANT pixels of a side begin, rounded as torchvision's
 * center_crop does: half to even; below 0 where the side is too short.  */
int geometry_center(int side, int want);
/* The middle, padded with 0 where too small.  */
int geometry_center_crop(struct image *to, const struct image *im, int w, int h,
                         struct err *e);
void geometry_flip_x(struct image *im); /* left and right change places */
void geometry_flip_y(struct image *im);
int geometry_pad(struct image *to, const struct image *im, int left, int top,
                 int right, int bottom, enum pad_mode m, const uint8_t fill[3],
                 struct err *e);
/* The source of position I in a side of N pixels, outside of it by reflection,
 * the edge not repeated (numpy's "reflect"), or by the nearest; -1: it is
 * constant.  */
int geometry_source(int64_t i, int n, enum pad_mode m);
/* W x H pixels from (X, Y) as geometry_crop(); what lies outside is made as
 * geometry_pad() does it, black if constant.  */
int geometry_cut(struct image *to, const struct image *im, int x, int y, int w,
                 int h, enum pad_mode outside, struct err *e);
/* EXIF orientation 1..8 undone.  */
int geometry_orient(struct image *im, int orientation, struct err *e);
/* Where the part B of a picture of W x H pixels lies after that; with
 * BACK, where that of the upright picture, W x H, was before.  */
void geometry_orient_box(struct box *b, int w, int h, int orientation,
                         int back);
/* Each output pixel (x, y) takes the input at (a x + b y + c, d x + e y + f)
 * of pixel centres, as Pillow's transform(AFFINE): nearest or bilinear;
 * outside is FILL.  */
int geometry_affine(struct image *to, const struct image *im, int w, int h,
                    const double m[6], int bilinear, const uint8_t fill[3],
                    struct err *e);

#endif
