/* image.h -- a picture: 8-bit RGB, rows from the top, pixels packed.
 * SPDX-License-Identifier: MIT
 *
 * Everything that leaves the decoder has this form, whatever the file was
 * (codec.h says by which rules); every operation maps one to another.  */
#ifndef ADZE_IMAGE_IMAGE_H
#define ADZE_IMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct err;

enum { IMAGE_SIDE = 65535 };

struct image {
    int w, h;     /* pixels, 1 .. IMAGE_SIDE */
    uint8_t *rgb; /* h * w * 3 bytes; owned */
};

struct box { /* a part of a picture, in pixels */
    double x, y, w, h;
};

/* Memory for W x H pixels, not cleared; ERR_SHAPE, ERR_NOMEM.  What IM held
 * is not released; on failure it is empty.  */
int image_new(struct image *im, int w, int h, struct err *e);
void image_release(struct image *im); /* zeroes it; zero is allowed */
int image_copy(struct image *to, const struct image *from, struct err *e);

#endif
