/* format.h -- what a picture format offers to the door in codec.c.
 * SPDX-License-Identifier: MIT
 *
 * A format works on bytes in memory.  Its messages begin with its name and
 * say where and why: "png: chunk IDAT at byte 41: its CRC is ...".  */
#ifndef ADZE_IMAGE_FORMAT_H
#define ADZE_IMAGE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

struct image;
struct err;
struct codec_info;
struct codec_opts;

struct format {
    const char *name;
    /* Do the N bytes begin as this format does?  */
    int (*sniff)(const uint8_t *p, size_t n);
    /* Fill all of CI but the name, without looking at pixels.  */
    int (*info)(struct codec_info *ci, const uint8_t *p, size_t n,
                struct err *e);
    /* The pixels as stored; CI is filled too, O->exif is not looked at.  The
     * image is empty on failure.  */
    int (*decode)(struct image *im, struct codec_info *ci, const uint8_t *p,
                  size_t n, const struct codec_opts *o, struct err *e);
    /* Where the picture that the N bytes begin with ends; N where that cannot
     * be told, or what follows is a part of the file.  */
    size_t (*end)(const uint8_t *p, size_t n);
};

extern const struct format jpeg_format, png_format, bmp_format, pnm_format;

/* W x H is a size that we decode under the limits of O: positive, sides up
 * to IMAGE_SIDE, pixels up to O->max_pixels.  Every format asks before it
 * takes memory.  NAME is the format's.  */
int codec_check_size(const char *name, int64_t w, int64_t h,
                     const struct codec_opts *o, struct err *e);

#endif
