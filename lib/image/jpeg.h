/* jpeg.h -- between our walk over the segments of a JPEG (jpeg.c) and the
 * library that makes the pixels (jpeg_turbo.c or jpeg_stb.c).
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_IMAGE_JPEG_H
#define ADZE_IMAGE_JPEG_H

#include <stddef.h>
#include <stdint.h>

struct image;
struct err;

/* A progressive file may send thousands of scans over the whole picture.  */
enum { JPEG_SCANS = 500 };

struct jpeg_info {
    int w, h, components;
    int hmax, vmax; /* the largest sampling factors */
    int adobe;      /* there is an Adobe marker */
    int bare;       /* a scan needs a table that no segment has brought */
    int scans;
    size_t coded; /* bytes of entropy-coded data */
    size_t end;   /* behind the end marker */
    int several;  /* more pictures follow that are part of the file (CIPA
                     DC-007): previews, gain maps */
    const uint8_t *exif;
    size_t exif_n;
};

/* What is wanted of a picture, as it is stored.  */
struct jpeg_part {
    int x, y, w, h; /* in pixels of the whole, not scaled */
    int denom;      /* 1 2 4 8: scaled down by so much in the DCT domain */
};

/* Pixels of the N bytes at P, which the walk has found sound: those of PART,
 * exactly if not scaled, else all that have a share in it; of all files the
 * same as a part of the whole would have.  Where the library does not scale,
 * it sets PART->denom to 1.  Any warning of the library is ERR_FORMAT; what
 * is coded behind the part is not looked at.  */
int jpeg_decode(struct image *im, const struct jpeg_info *ji, const uint8_t *p,
                size_t n, struct jpeg_part *part, struct err *e);

/* IM as baseline JPEG 4:2:0; release with free().  NULL on failure.  */
uint8_t *jpeg_encode(const struct image *im, int quality, size_t *n,
                     struct err *e);

#endif
