/* image.c -- see image.h.
 * SPDX-License-Identifier: MIT  */
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static size_t image_bytes(const struct image *im)
{
    return (size_t)im->w * (size_t)im->h * 3;
}

int image_new(struct image *im, int w, int h, struct err *e)
{
    *im = (struct image){0};
    if (w < 1 || h < 1 || w > IMAGE_SIDE || h > IMAGE_SIDE)
        return err_set(e, ERR_SHAPE,
                       "a picture of %dx%d pixels: sides are 1 to %d", w, h,
                       IMAGE_SIDE);
    im->rgb = malloc((size_t)w * (size_t)h * 3);
    if (!im->rgb)
        return err_set(e, ERR_NOMEM,
                       "out of memory for a picture of %dx%d pixels", w, h);
    im->w = w;
    im->h = h;
    return 0;
}

void image_release(struct image *im)
{
    free(im->rgb);
    *im = (struct image){0};
}

int image_copy(struct image *to, const struct image *from, struct err *e)
{
    if (image_new(to, from->w, from->h, e) < 0)
        return -1;
    memcpy(to->rgb, from->rgb, image_bytes(from));
    return 0;
}
