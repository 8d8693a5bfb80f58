/* change.h -- what is done to the pixels of a picture whose size stays, as
 * data: drawn in one place, done in another.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_IMAGE_CHANGE_H
#define ADZE_IMAGE_CHANGE_H

#include "base/rng.h"
#include "image/image.h"

enum change_kind {
    CHANGE_BRIGHTNESS, /* by a factor: colour.h */
    CHANGE_CONTRAST,
    CHANGE_SATURATION,
    CHANGE_HUE, /* by turns */
    CHANGE_GREY,
    CHANGE_FLIP_Y,
    CHANGE_ERASE
};

enum change_fill { FILL_BLACK, FILL_GREY, FILL_NOISE };

struct change {
    enum change_kind kind;
    double by;
    /* CHANGE_ERASE: a part that lies inside the picture, and what is painted;
     * byte I of its rows, one behind the other, is the high byte of number I
     * of NOISE.  */
    int x, y, w, h;
    enum change_fill fill;
    struct rng noise;
};

void change_apply(struct image *im, const struct change *c);

#endif
