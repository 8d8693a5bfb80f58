/* picture.h -- make pictures and damaged picture files for the tests.
 * SPDX-License-Identifier: MIT
 *
 * Included as "../picture.h".  */
#ifndef ADZE_TESTS_PICTURE_H
#define ADZE_TESTS_PICTURE_H

#include <stddef.h>
#include <stdint.h>

struct image;
struct str;

/* W x H pixels of noise, the same as noise() in scripts/make-ref-image.py.  */
void picture_noise(struct image *im, int w, int h);

/* CRC-32 (IEEE) of the pixels, as zlib's crc32 gives it.  */
uint32_t image_crc(const struct image *im);

/* The bytes that HEX spells; release with free().  */
uint8_t *picture_from_hex(const char *hex, size_t *n);

/* A PNG piece by piece: the signature with IHDR, chunks with their CRC, RAW
 * (filter bytes and samples) as one IDAT of stored blocks.  */
void picture_png_begin(struct str *s, uint32_t w, uint32_t h, int depth,
                       int type, int interlaced);
void picture_png_chunk(struct str *s, const char *name, const void *p,
                       size_t n);
void picture_png_data(struct str *s, const void *raw, size_t n);

/* A fuzz_repair: every chunk that lies inside gets its right CRC, and an IDAT
 * that is a stored zlib stream its right Adler-32.  */
void picture_png_repair(uint8_t **p, size_t *n);

/* Decoding the N bytes at P fails with CODE and a message of one line that
 * holds WORDS.  Fails the running cmocka test otherwise.  */
void picture_refused(const void *p, size_t n, int code, const char *words);

/* It succeeds; the image is the caller's.  */
void picture_decode(struct image *im, const void *p, size_t n);

#endif
