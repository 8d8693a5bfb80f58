/* synth.h -- the embedded data set: ten classes of shapes and textures on
 * clutter, drawn by the library itself, the same bytes everywhere.
 * SPDX-License-Identifier: MIT
 *
 * Hard enough that a linear model on the pixels stays under 60 %, easy enough
 * that a small CNN passes 95 %.  Integer and fixed-point arithmetic only, so
 * that no instruction set changes a pixel.  */
#ifndef ADZE_DATA_SYNTH_H
#define ADZE_DATA_SYNTH_H

#include <stdint.h>

#include "image/image.h"

struct err;

enum { SYNTH_CLASSES = 10 };
extern const char *const synth_classes[SYNTH_CLASSES + 1]; /* NULL-ended */

/* Picture I of class LABEL at SIZE x SIZE pixels under SEED.  */
int synth_image(struct image *im, uint64_t seed, int label, int64_t i, int size,
                struct err *e);

#endif
