/* bmp.c -- tests of lib/image/bmp.c: fault F-059.
 * SPDX-License-Identifier: MIT
 *
 * What sound files give is tested in codec.c.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../fuzz.h"
#include "../picture.h"
#include "base/err.h"
#include "base/str.h"
#include "image/codec.h"
#include "ref_files.h"

static void put(struct str *s, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++, v >>= 8)
        str_addc(s, (char)v);
}

static void set(struct str *s, size_t at, uint32_t v)
{
    for (size_t i = 0; i < 4; i++)
        s->data[at + i] = (char)(v >> 8 * i);
}

/* A file with a header of 40 bytes, COLOURS in its palette, and N bytes of
 * pixels.  */
static struct str make(int32_t w, int32_t h, unsigned bits, uint32_t packing,
                       uint32_t colours, const void *pixels, size_t n)
{
    struct str s = {0};
    const uint32_t at = 54 + 4 * colours;

    str_add(&s, "BM");
    put(&s, 0xdeadbeef, 4); /* the size of the file is not looked at */
    put(&s, 0, 4);
    put(&s, at, 4);
    put(&s, 40, 4);
    put(&s, (uint32_t)w, 4);
    put(&s, (uint32_t)h, 4);
    put(&s, 1, 2);
    put(&s, bits, 2);
    put(&s, packing, 4);
    put(&s, 0xffffffff, 4); /* nor that of the pixels */
    put(&s, 0, 8);
    put(&s, colours, 4);
    put(&s, 0, 4);
    for (uint32_t i = 0; i < colours; i++)
        put(&s, i << 16 | (i + 50) << 8 | (i + 100), 4);
    str_addn(&s, pixels, n);
    return s;
}

static void no(struct str s, int code, const char *words)
{
    picture_refused(s.data, s.len, code, words);
    str_release(&s);
}

static void yes(struct str s, const char *want, size_t n)
{
    struct image im;

    picture_decode(&im, s.data, s.len);
    assert_int_equal(im.w * im.h * 3, n);
    assert_memory_equal(im.rgb, want, n);
    image_release(&im);
    str_release(&s);
}

static const char px[64] = "abcdefghijklmnopqrstuvwxyz";

/* F-059: negative heights, sizes that lie.  */
static void test_header(void **state)
{
    struct str s;

    (void)state;
    yes(make(1, 2, 24, 0, 0, px, 8), "gfecba", 6);
    yes(make(1, -2, 24, 0, 0, px, 8), "cbagfe", 6);
    no(make(1, INT32_MIN, 24, 0, 0, px, 8), ERR_UNSUPPORTED, "1x2147483648");
    no(make(-1, 2, 24, 0, 0, px, 8), ERR_FORMAT, "states a size of -1x2");
    no(make(0, 2, 24, 0, 0, px, 8), ERR_FORMAT, "0x2");
    no(make(65535, 65535, 1, 0, 2, px, 8), ERR_UNSUPPORTED, "limit");
    no(make(3000, 3000, 32, 0, 0, px, 8), ERR_FORMAT,
       "36000000 bytes of pixels are needed, 8 are there");
    no(make(1, 2, 24, 0, 0, px, 7), ERR_FORMAT, "8 bytes of pixels");
    no(make(1, 1, 2, 0, 0, px, 8), ERR_UNSUPPORTED, "packing 0 with 2 bits");
    no(make(1, 1, 24, 4, 0, px, 8), ERR_UNSUPPORTED, "packing 4 with 24 bits");
    no(make(1, 1, 0, 0, 0, px, 8), ERR_UNSUPPORTED, "0 bits");
    s = make(1, 1, 24, 0, 0, px, 8);
    set(&s, 10, 1000);
    no(s, ERR_FORMAT, "beyond the end");
    s = make(1, 1, 24, 0, 0, px, 8);
    set(&s, 10, 0xffffffff);
    no(s, ERR_FORMAT, "beyond the end");
    s = make(1, 1, 24, 0, 0, px, 8);
    set(&s, 14, 41);
    no(s, ERR_UNSUPPORTED, "header of 41 bytes");
    s = make(1, 1, 24, 0, 0, px, 8);
    set(&s, 14, 124);
    no(s, ERR_FORMAT, "in its header");
    picture_refused("BM", 2, ERR_FORMAT, "in its header");
}

/* F-059: palettes.  */
static void test_palette(void **state)
{
    struct str s;

    (void)state;
    yes(make(2, 1, 8, 0, 3, "\2\0\0", 4), "\2\x34\x66\0\x32\x64", 6);
    yes(make(3, 1, 4, 0, 3, "\x20\x10\0", 4), "\2\x34\x66\0\x32\x64\1\x33\x65",
        9);
    yes(make(2, 1, 1, 0, 2, "\x40\0\0", 4), "\0\x32\x64\1\x33\x65", 6);
    no(make(2, 1, 8, 0, 2, "\2\0\0", 4), ERR_FORMAT,
       "byte 62: colour 2 in a palette of 2");
    no(make(2, 1, 4, 0, 17, "\2\0\0", 4), ERR_FORMAT, "too many for 4 bits");
    s = make(2, 1, 8, 0, 3, "\2\0\0", 4);
    set(&s, 46, 0xffffffff);
    no(s, ERR_FORMAT, "too many");
    s = make(2, 1, 8, 0, 3, "\2\0\0", 4);
    set(&s, 46, 200);
    no(s, ERR_FORMAT, "the palette is cut");
    s = make(2, 1, 8, 0, 3, "\2\0\0", 4); /* 0: as many as fit */
    set(&s, 46, 0);
    yes(s, "\2\x34\x66\0\x32\x64", 6);
    s = make(2, 1, 8, 0, 3, "\3\0\0", 4);
    set(&s, 46, 0);
    no(s, ERR_FORMAT, "colour 3 in a palette of 3");
}

/* Three masks behind the header, then one pixel.  */
static struct str masked(unsigned bits, uint32_t r, uint32_t g, uint32_t b,
                         uint32_t pixel)
{
    struct str s = make(1, 1, bits, 3, 0, NULL, 0);

    set(&s, 10, 66);
    put(&s, r, 4);
    put(&s, g, 4);
    put(&s, b, 4);
    put(&s, pixel, 4);
    return s;
}

/* F-059: bit masks.  */
static void test_masks(void **state)
{
    struct str s;

    (void)state;
    yes(masked(16, 0xf800, 0x7e0, 0x1f, 0xffff), "\xff\xff\xff", 3);
    yes(masked(16, 0xf800, 0x7e0, 0x1f, 0x0821), "\x08\x04\x08", 3);
    yes(masked(32, 0xffc00000, 0x3ff000, 0, 0x80001000), "\x7f\0\0", 3);
    yes(masked(32, 0xff000000, 1, 0xffffff, 0xff000001), "\xff\xff\0", 3);
    yes(masked(32, 0xffffffff, 0, 0, 0xffffffff), "\xff\0\0", 3);
    no(masked(16, 0xf801, 0x7e0, 0x1f, 0), ERR_FORMAT, "no run of bits");
    no(masked(16, 0xf8000, 0x7e0, 0x1f, 0), ERR_FORMAT, "no run of bits");
    no(masked(32, 0xff, 0xff00, 0xf0f0000, 0), ERR_FORMAT,
       "byte 62: a channel's mask");
    s = masked(32, 0xff, 0xff00, 0xff0000, 0);
    s.len = 60;
    set(&s, 10, 54);
    no(s, ERR_FORMAT, "ends in the masks");
}

static struct str rle(unsigned bits, const char *runs, size_t n)
{
    return make(4, 2, bits, bits == 8 ? 1 : 2, 3, runs, n);
}

/* F-059: run-length coding; runs that leave the picture or the file.  */
static void test_rle(void **state)
{
#define A "\0\x32\x64"
#define B "\1\x33\x65"
#define C "\2\x34\x66"
    (void)state;
    yes(rle(8, "\4\1\0\0\4\2\0\1", 8), C C C C B B B B, 24);
    yes(rle(8, "\1\1\0\0\0\1", 6), A A A A B A A A, 24);
    yes(rle(8, "\0\3\1\2\1\0\0\1", 8), A A A A B C B A, 24);
    yes(rle(8, "\0\2\1\1\1\2\0\1", 8), A C A A A A A A, 24);
    yes(rle(4, "\4\x12\0\1", 4), A A A A B C B C, 24);
    yes(rle(4, "\0\3\x12\x10\0\1", 6), A A A A B C B A, 24);
    yes(rle(8, "\0\1", 2), A A A A A A A A, 24);
    no(rle(8, "\5\1\0\1", 4), ERR_FORMAT, "passes the end of its row");
    no(rle(8, "\0\0\0\0\1\1\0\1", 8), ERR_FORMAT, "passes the end");
    no(rle(8, "\0\2\5\0\0\1", 6), ERR_FORMAT, "leaves the picture");
    no(rle(8, "\0\2\0\2\0\1", 6), ERR_FORMAT, "leaves the picture");
    no(rle(8, "\1\3\0\1", 4), ERR_FORMAT, "colour 3 in a palette of 3");
    no(rle(4, "\2\x13\0\1", 4), ERR_FORMAT, "colour 3 in a palette of 3");
    no(rle(8, "\4\1\0\0\4\2", 6), ERR_FORMAT, "without the mark of its end");
    no(rle(8, "\0\4\1\1\1", 5), ERR_FORMAT, "within a run");
    no(rle(8, "\0\2\1", 3), ERR_FORMAT, "within a run");
    no(make(4, -2, 8, 1, 3, "\0\1", 2), ERR_FORMAT, "top-down");
    no(make(10000, 10000, 8, 1, 3, "\0\1", 2), ERR_FORMAT, "cannot hold");
#undef A
#undef B
#undef C
}

/* Every cut of every kind of file, then damage.  */
static void test_cut_and_fuzz(void **state)
{
    struct fuzz_seed seeds[16];
    uint8_t *p[16];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof ref_files / sizeof *ref_files && n < 16; i++)
        if (!strncmp(ref_files[i].name, "bmp", 3)) {
            p[n] = picture_from_hex(ref_files[i].hex, &seeds[n].n);
            seeds[n].p = p[n];
            assert_int_equal(fuzz_cut(fuzz_image, p[n], seeds[n].n), 0);
            n++;
        }
    fuzz_run(fuzz_image, seeds, n, NULL, 10000, 59);
    while (n)
        free(p[--n]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),       cmocka_unit_test(test_palette),
        cmocka_unit_test(test_masks),        cmocka_unit_test(test_rle),
        cmocka_unit_test(test_cut_and_fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
