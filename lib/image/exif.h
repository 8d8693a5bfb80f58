/* exif.h -- the orientation tag of an EXIF block, and nothing else.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_IMAGE_EXIF_H
#define ADZE_IMAGE_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* The orientation 1..8 that the first directory of the N bytes of TIFF at P
 * states (tag 0x0112, SHORT or LONG, count 1); 1 where it states none or the
 * block is broken: a picture is not refused for its EXIF.  */
int exif_orientation(const uint8_t *p, size_t n);

#endif
