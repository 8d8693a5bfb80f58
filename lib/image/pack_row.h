/* pack_row.h -- a faster way to pack a row of pixels.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_IMAGE_PACK_ROW_H
#define ADZE_IMAGE_PACK_ROW_H

#include <stdint.h>

enum { PACK_PIXELS = 8 };

/* Byte C of each of the W pixels at X, a multiple of PACK_PIXELS, to Y: as
 * pack_chw() does it.  */
typedef void pack_row_fn(float *y, const uint8_t *x, int w, int c, float mean,
                         float std, int mirror);

pack_row_fn pack_row_avx2; /* on x86-64 */

#endif
