/* codec.h -- one door for picture files: JPEG, PNG, BMP, PNM.
 * SPDX-License-Identifier: MIT
 *
 * The format is recognised by content.  Every file becomes 8-bit RGB as
 * Pillow's convert("RGB") gives it:
 *   grey            R = G = B
 *   alpha           dropped, not composited
 *   16 bit          the high byte (PNG RGB, PNM: value * 255 / maxval rounded)
 *   palette         looked up; entries past the palette are an error
 *   CMYK, YCCK      Adobe's inverted values; R = C * K / 255
 *   animated PNG    the first frame
 * The pixel limits are checked before any pixel is decoded.  A file that is
 * cut short or draws a decoder warning is an error, never a grey half.  GIF,
 * TIFF, WebP, HEIC, AVIF, PSD, TGA, ICO, SVG, PDF, gzip, HTML, Git-LFS
 * pointers and CgBI PNGs are recognised and refused by name with the command
 * that converts them.  */
#ifndef ADZE_IMAGE_CODEC_H
#define ADZE_IMAGE_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "image/image.h"

struct err;
struct out;

/* A part of a picture, chosen as soon as its size is known.  Pixels that do
 * not matter to the part need not be decoded, nor damage there be noticed.  */
struct codec_part {
    /* Called once, with the upright size: fill the two lines that follow.  */
    void (*choose)(struct codec_part *p, int w, int h);
    int x, y, w, h;   /* inside the picture */
    int min_w, min_h; /* JPEG only: scale in the DCT domain while the part is
                         at least this large; 0: exact, the pixels that
                         Pillow gives */
    /* The answer.  */
    int full_w, full_h; /* the upright size; 0: not asked yet */
    struct box box;     /* the part in the image that was decoded: all of it
                       if not scaled, else perhaps less at the edges */
};

struct codec_opts {
    int exif;                /* apply EXIF orientation (JPEG, PNG eXIf) */
    int64_t max_pixels;      /* 0: CODEC_MAX_PIXELS */
    struct codec_part *part; /* NULL: all, exact */
};

#define CODEC_MAX_PIXELS 178956970         /* Pillow's line */
#define CODEC_MAX_BYTES  ((size_t)2 << 30) /* of a file that is read */

struct codec_info {
    const char *format; /* "jpeg" */
    int w, h;           /* as stored, before orientation */
    int orientation;    /* 1..8; 1 if absent or broken */
};

/* The bytes begin as a picture does, one that is read here or one that is
 * refused by name.  */
int codec_sniff(const uint8_t *p, size_t n);

/* Where a second picture begins that is no part of the first, which the N bytes
 * begin with; 0: nowhere.  Other bytes may follow a picture.  */
size_t codec_second(const uint8_t *p, size_t n);

/* The header only.  */
int codec_info(struct codec_info *ci, const uint8_t *p, size_t n,
               struct err *e);

/* Decode the N bytes at P; O may be NULL (all, no EXIF).  The image is empty
 * on failure: ERR_FORMAT, ERR_UNSUPPORTED, ERR_NOMEM.  */
int codec_decode(struct image *im, const uint8_t *p, size_t n,
                 const struct codec_opts *o, struct err *e);

/* Cut the part that O asks for, if any, from the whole picture IM, if that
 * was not done while it was decoded; IM is empty on failure.  */
int codec_cut(struct image *im, const struct codec_opts *o, struct err *e);

/* Read and decode a file; the message names it.  */
int codec_read(struct image *im, const char *path, const struct codec_opts *o,
               struct err *e);

/* An RGB PNG in memory, N bytes, malloc'ed; NULL on failure.  */
uint8_t *codec_png(const struct image *im, size_t *n, struct err *e);
/* Write an RGB PNG.  */
int codec_write_png(const struct image *im, struct out *o, struct err *e);

/* For the fuzz driver: header and pixels, up to a megapixel.  0 if the bytes
 * are a picture.  */
int fuzz_image(const uint8_t *p, size_t n);

#endif
