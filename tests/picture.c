/* picture.c -- see picture.h.
 * SPDX-License-Identifier: MIT  */
#include "picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/codec.h"

void picture_noise(struct image *im, int w, int h)
{
    struct err e = {0};

    assert_int_equal(image_new(im, w, h, &e), 0);
    for (uint32_t i = 0; i < (uint32_t)(w * h * 3); i++)
        im->rgb[i] = (uint8_t)(i * 2654435761u >> 24);
}

uint32_t image_crc(const struct image *im)
{
    struct crc c;

    crc_init(&c);
    return crc_add(&c, 0, im->rgb, (size_t)im->w * (size_t)im->h * 3);
}

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

uint8_t *picture_from_hex(const char *hex, size_t *n)
{
    uint8_t *p;

    *n = strlen(hex) / 2;
    p = xmalloc(*n + 1);
    for (size_t i = 0; i < *n; i++)
        p[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return p;
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static void add32(struct str *s, uint32_t v)
{
    uint8_t b[4];

    put32(b, v);
    str_addn(s, (char *)b, 4);
}

static uint32_t crc_of(const void *p, size_t n)
{
    struct crc c;

    crc_init(&c);
    return crc_add(&c, 0, p, n);
}

static uint32_t adler_of(const uint8_t *p, size_t n)
{
    uint32_t a = 1, b = 0;

    for (size_t i = 0; i < n; i++) {
        a = (a + p[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

void picture_png_chunk(struct str *s, const char *name, const void *p, size_t n)
{
    size_t at;

    add32(s, (uint32_t)n);
    at = s->len;
    str_addn(s, name, 4);
    str_addn(s, p, n);
    add32(s, crc_of(s->data + at, n + 4));
}

void picture_png_begin(struct str *s, uint32_t w, uint32_t h, int depth,
                       int type, int interlaced)
{
    uint8_t d[13] = {
        [8] = (uint8_t)depth, [9] = (uint8_t)type, [12] = (uint8_t)interlaced};

    put32(d, w);
    put32(d + 4, h);
    str_addn(s, "\x89PNG\r\n\x1a\n", 8);
    picture_png_chunk(s, "IHDR", d, sizeof d);
}

void picture_png_data(struct str *s, const void *raw, size_t n)
{
    const char *p = raw;
    struct str z = {0};
    size_t at = 0;

    str_addn(&z, "\x78\x01", 2);
    do {
        const size_t k = n - at < 65535 ? n - at : 65535;

        str_addc(&z, (char)(at + k == n));
        str_addc(&z, (char)(k & 255));
        str_addc(&z, (char)(k >> 8));
        str_addc(&z, (char)~(k & 255));
        str_addc(&z, (char)~(k >> 8));
        str_addn(&z, p + at, k);
        at += k;
    } while (at < n);
    add32(&z, adler_of(raw, n));
    picture_png_chunk(s, "IDAT", z.data, z.len);
    str_release(&z);
}

/* Of one stored block.  */
static void repair_adler(uint8_t *z, size_t n)
{
    size_t k;

    if (n < 11 || z[2] != 1)
        return;
    k = (size_t)z[3] | (size_t)z[4] << 8;
    if (k == n - 11)
        put32(z + n - 4, adler_of(z + 7, k));
}

void picture_png_repair(uint8_t **p, size_t *n)
{
    for (size_t at = 8; at < *n && *n - at >= 12;) {
        uint8_t *c = *p + at;
        const size_t k = get32(c);

        if (k > *n - at - 12)
            return;
        if (!memcmp(c + 4, "IDAT", 4))
            repair_adler(c + 8, k);
        put32(c + 8 + k, crc_of(c + 4, k + 4));
        at += 12 + k;
    }
}

void picture_refused(const void *p, size_t n, int code, const char *words)
{
    struct image im;
    struct err e = {0};
    uint8_t *exact = malloc(n ? n : 1); /* so that reading past it is seen */

    assert_non_null(exact);
    if (n)
        memcpy(exact, p, n);
    assert_int_equal(codec_decode(&im, exact, n, NULL, &e), -1);
    free(exact);
    assert_null(im.rgb);
    if (!strstr(e.msg, words))
        fail_msg("'%s' does not hold '%s'", e.msg, words);
    assert_int_equal(e.code, code);
    assert_null(strchr(e.msg, '\n'));
}

void picture_decode(struct image *im, const void *p, size_t n)
{
    struct err e = {0};

    if (codec_decode(im, p, n, NULL, &e) < 0)
        fail_msg("%s", e.msg);
}
