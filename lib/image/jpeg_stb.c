/* jpeg_stb.c -- JPEG by stb_image, where libjpeg-turbo is absent.
 * SPDX-License-Identifier: MIT
 *
 * Pixels differ from Pillow's by a few steps (another inverse transform and
 * upsampling), nothing is scaled while decoding, and coded data that is
 * damaged inside a scan is not always noticed.  The walk in jpeg.c has
 * checked the segments and code tables, among them the counts that 2.27
 * trusts (CVE-2022-28041, -28042, -28048), and that the tables are there: it
 * would take what malloc() gave it for them, and for blocks that no data
 * came for.  */
#include "image/jpeg.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "image/geometry.h"
#include "image/image.h"

/* said at the end of the file, so for all of it */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wtype-limits"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS 65535
#define STBI_ASSERT(x)      ((x) ? (void)0 : BUG("stb_image: %s", #x))
#define STBI_MALLOC(n)      calloc(1, (n))
#define STBI_REALLOC(p, n)  realloc((p), (n))
#define STBI_FREE(p)        free(p)
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

static int load(struct image *im, const uint8_t *p, size_t n, struct err *e)
{
    int components;

    im->rgb = stbi_load_from_memory(p, (int)n, &im->w, &im->h, &components, 3);
    return im->rgb ? 0
                   : err_set(e, ERR_FORMAT, "jpeg: %s", stbi_failure_reason());
}

int jpeg_decode(struct image *im, const struct jpeg_info *ji, const uint8_t *p,
                size_t n, struct jpeg_part *part, struct err *e)
{
    static const uint8_t none[3];
    struct image all;
    int r;

    part->denom = 1;
    *im = (struct image){0};
    if (ji->components == 4 && !ji->adobe) /* stb would drop the fourth */
        return err_set(e, ERR_UNSUPPORTED,
                       "jpeg: CMYK without Adobe's marker needs libjpeg-turbo");
    if (ji->bare)
        return err_set(e, ERR_FORMAT,
                       "jpeg: a scan needs a table that is not there");
    if (n > INT_MAX)
        return err_set(e, ERR_UNSUPPORTED, "jpeg: %zu bytes are too many", n);
    if (load(&all, p, n, e) < 0)
        return -1;
    if (part->w == all.w && part->h == all.h) {
        *im = all;
        return 0;
    }
    r = geometry_crop(im, &all, part->x, part->y, part->w, part->h, none, e);
    image_release(&all);
    return r;
}

uint8_t *jpeg_encode(const struct image *im, int quality, size_t *n,
                     struct err *e)
{
    (void)im;
    (void)quality;
    *n = 0;
    err_set(e, ERR_UNSUPPORTED,
            "writing JPEG needs libjpeg-turbo, which this build has not");
    return NULL;
}
