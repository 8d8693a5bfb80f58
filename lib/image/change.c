/* change.c -- see change.h.
 * SPDX-License-Identifier: MIT  */
#include "image/change.h"

#include <string.h>

#include "image/colour.h"
#include "image/geometry.h"

static void brightness(struct image *im, const struct change *c)
{
    colour_brightness(im, c->by);
}

static void contrast(struct image *im, const struct change *c)
{
    colour_contrast(im, c->by);
}

static void saturation(struct image *im, const struct change *c)
{
    colour_saturation(im, c->by);
}

static void hue(struct image *im, const struct change *c)
{
    colour_hue(im, c->by);
}

static void grey(struct image *im, const struct change *c)
{
    (void)c;
    colour_grey(im);
}

static void flip_y(struct image *im, const struct change *c)
{
    (void)c;
    geometry_flip_y(im);
}

static void erase(struct image *im, const struct change *c)
{
    const size_t n = 3 * (size_t)c->w;

    for (int i = 0; i < c->h; i++) {
        uint8_t *row =
            im->rgb + 3 * ((size_t)(c->y + i) * (size_t)im->w + (size_t)c->x);

        memset(row, c->fill == FILL_GREY ? 128 : 0, n);
        for (size_t k = 0; c->fill == FILL_NOISE && k < n; k++)
            row[k] = (uint8_t)(rng_u32(&c->noise, (size_t)i * n + k) >> 24);
    }
}

void change_apply(struct image *im, const struct change *c)
{
    static void (*const by_kind[])(struct image *, const struct change *) = {
        [CHANGE_BRIGHTNESS] = brightness,
        [CHANGE_CONTRAST] = contrast,
        [CHANGE_SATURATION] = saturation,
        [CHANGE_HUE] = hue,
        [CHANGE_GREY] = grey,
        [CHANGE_FLIP_Y] = flip_y,
        [CHANGE_ERASE] = erase,
    };

    by_kind[c->kind](im, c);
}
