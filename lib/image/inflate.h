/* inflate.h -- zlib streams (RFC 1950, 1951) of known size, for PNG.
 * SPDX-License-Identifier: MIT
 *
 * Our own, because what stb_image 2.27 does with a PNG is not enough: it
 * looks at no CRC and no Adler-32, takes the length codes 286 and 287 and the
 * distance codes 30 and 31, which do not exist, as 0, and repeats bytes that
 * nobody wrote.  */
#ifndef ADZE_IMAGE_INFLATE_H
#define ADZE_IMAGE_INFLATE_H

#include <stddef.h>
#include <stdint.h>

struct err;

/* Unpack the zlib stream of N bytes at P into exactly OUT_N bytes.  A stream
 * that breaks a rule, gives fewer bytes or more, has a wrong Adler-32 or is
 * followed by anything is ERR_FORMAT, with the place.  Takes no memory; every
 * step consumes input, so the time is linear in N and OUT_N.  */
int inflate_zlib(uint8_t *out, size_t out_n, const uint8_t *p, size_t n,
                 struct err *e);

#endif
