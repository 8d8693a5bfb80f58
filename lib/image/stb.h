/* stb.h -- the PNG writer of stb_image_write.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_IMAGE_STB_H
#define ADZE_IMAGE_STB_H

#include <stddef.h>
#include <stdint.h>

struct image;
struct err;

/* IM as PNG in memory; release with free().  NULL on failure.  */
uint8_t *stb_png(const struct image *im, size_t *n, struct err *e);

#endif
