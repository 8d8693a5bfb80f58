/* stb.c -- see stb.h.
 * SPDX-License-Identifier: MIT
 *
 * Compiled with banned.h switched off (Makefile), for a sprintf in a writer
 * that is not used.  */
#include "image/stb.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "image/image.h"

/* said at the end of the file, so for all of it */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wsign-compare"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#define STBIW_ASSERT(x) ((x) ? (void)0 : BUG("stb_image_write: %s", #x))
/* its growing arrays are used unchecked */
#define STBIW_MALLOC(n)     xmalloc(n)
#define STBIW_REALLOC(p, n) xrealloc((p), (n), 1)
#define STBIW_FREE(p)       free(p)
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

uint8_t *stb_png(const struct image *im, size_t *n, struct err *e)
{
    uint8_t *p;
    int len = 0;

    /* stb counts in int, and may need twice the size (its issue 1964) */
    if ((int64_t)im->w * im->h > INT_MAX / 8) {
        err_set(e, ERR_UNSUPPORTED, "%dx%d pixels are too many to write a PNG",
                im->w, im->h);
        return NULL;
    }
    p = stbi_write_png_to_mem(im->rgb, im->w * 3, im->w, im->h, 3, &len);
    if (!p)
        err_set(e, ERR_NOMEM, "out of memory for a PNG of %dx%d pixels", im->w,
                im->h);
    *n = (size_t)len;
    return p;
}
