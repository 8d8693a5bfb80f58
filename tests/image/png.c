/* png.c -- tests of lib/image/png.c: faults F-049 to F-058.
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
#include "base/mem.h"
#include "base/str.h"
#include "image/codec.h"

static uint32_t get32(const char *c)
{
    const uint8_t *p = (const uint8_t *)c;

    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static void put32(char *c, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        c[i] = (char)(v >> (24 - 8 * i));
}

/* The whole of S is refused, and S is let go.  */
static void no(struct str *s, int code, const char *words)
{
    picture_refused(s->data, s->len, code, words);
    str_release(s);
}

/* 2 x 2 pixels of 8-bit grey.  */
static const char grey[] = {0, 10, 20, 0, 30, 40};

static struct str sound(void)
{
    struct str s = {0};

    picture_png_begin(&s, 2, 2, 8, 0, 0);
    picture_png_chunk(&s, "tEXt", "Title\0x", 7);
    picture_png_data(&s, grey, sizeof grey);
    picture_png_chunk(&s, "IEND", NULL, 0);
    return s;
}

/* F-049: cut anywhere; any bit of any chunk.  Bytes behind IEND are not
 * looked at.  */
static void test_cut_and_flip(void **state)
{
    static const uint8_t want[] = {10, 10, 10, 20, 20, 20,
                                   30, 30, 30, 40, 40, 40};
    struct str s = sound();
    struct image im;

    (void)state;
    picture_decode(&im, s.data, s.len);
    assert_memory_equal(im.rgb, want, sizeof want);
    image_release(&im);
    assert_int_equal(fuzz_cut(fuzz_image, s.data, s.len), 0);
    assert_int_equal(fuzz_flip(fuzz_image, s.data, s.len), 0);
    str_add(&s, "rubbish");
    picture_decode(&im, s.data, s.len);
    image_release(&im);
    str_release(&s);
}

static void test_crc_and_length(void **state)
{
    static const uint32_t lengths[] = {0,          1,          0x7fffffff,
                                       0x80000000, 0xffffffff, 0xfffffff4};
    const struct str whole = sound();
    size_t at = 8;

    (void)state;
    while (at < whole.len) {
        const uint32_t n = get32(whole.data + at);
        char name[5] = "";

        memcpy(name, whole.data + at + 4, 4);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            struct str s = {0};

            str_addn(&s, whole.data, whole.len);
            put32(s.data + at, lengths[i]);
            if (lengths[i] == n)
                str_release(&s);
            else
                no(&s, ERR_FORMAT, "png: ");
        }
        {
            struct str s = {0};
            char words[64];

            str_addn(&s, whole.data, whole.len);
            s.data[at + 8 + n + 2] ^= 4;
            snprintf(words, sizeof words, "chunk %s at byte %zu: its CRC", name,
                     at);
            no(&s, ERR_FORMAT, words);
        }
        at += 12 + n;
    }
    str_release((struct str *)&whole);
}

static void header(uint32_t w, uint32_t h, int depth, int type, int code,
                   const char *words)
{
    struct str s = {0};

    picture_png_begin(&s, w, h, depth, type, 0);
    if (type == 3)
        picture_png_chunk(&s, "PLTE", "abc", 3);
    picture_png_data(&s, grey, sizeof grey);
    picture_png_chunk(&s, "IEND", NULL, 0);
    no(&s, code, words);
}

/* F-050.  */
static void test_header(void **state)
{
    (void)state;
    header(0, 0, 8, 0, ERR_FORMAT, "0x0 pixels");
    header(2, 0, 8, 0, ERR_FORMAT, "2x0 pixels");
    header(0x7fffffff, 0x7fffffff, 16, 6, ERR_UNSUPPORTED, "65535");
    header(0x80000000, 1, 8, 0, ERR_FORMAT, "states a size");
    header(0xffffffff, 0xffffffff, 16, 6, ERR_FORMAT, "states a size");
    header(65536, 1, 1, 0, ERR_UNSUPPORTED, "65536x1");
    header(65535, 65535, 1, 0, ERR_UNSUPPORTED, "limit");
    for (int type = 0; type < 256; type++)
        for (int depth = 0; depth < 256; depth++) {
            const int pow2 = depth == 1 || depth == 2 || depth == 4 ||
                             depth == 8 || depth == 16;
            const int fits =
                pow2 && (type == 0 || (type == 3 && depth < 16) ||
                         (depth >= 8 && (type == 2 || type == 4 || type == 6)));

            if (!fits && (type < 8 || depth < 9))
                header(2, 2, depth, type, ERR_FORMAT, "no colour type");
        }
}

/* F-051: a little that becomes a lot, too much, too little.  */
static void test_amount(void **state)
{
    struct str s = {0};

    (void)state;
    header(10000, 10000, 8, 0, ERR_FORMAT, "cannot hold 10000x10000");
    header(3, 2, 8, 0, ERR_FORMAT, "less than the picture needs");
    header(1, 2, 8, 0, ERR_FORMAT, "more data than the picture needs");
    picture_png_begin(&s, 2, 2, 8, 0, 0);
    picture_png_data(&s, "\0\1\2\5\1\2", 6);
    picture_png_chunk(&s, "IEND", NULL, 0);
    no(&s, ERR_FORMAT, "row 1: no filter 5");
    picture_png_begin(&s, 2, 2, 8, 0, 0);
    picture_png_chunk(&s, "IDAT", NULL, 0);
    picture_png_chunk(&s, "IEND", NULL, 0);
    no(&s, ERR_FORMAT, "image data: ");
}

/* A palette picture of 2 x 2 pixels with indices 0 1 1 2, N_PLTE bytes of
 * palette and N_TRNS of transparency.  */
static struct str palette(size_t n_plte, size_t n_trns, int depth)
{
    static const char indices[] = {0, 0, 1, 0, 1, 2};
    static const char bits[] = {0, 0x10, 0, 0x60};
    static const char many[1024];
    struct str s = {0};

    picture_png_begin(&s, 2, 2, depth, 3, 0);
    if (n_plte != SIZE_MAX)
        picture_png_chunk(&s, "PLTE", many, n_plte);
    if (n_trns)
        picture_png_chunk(&s, "tRNS", many, n_trns);
    picture_png_data(&s, depth == 8 ? indices : bits, depth == 8 ? 6 : 4);
    picture_png_chunk(&s, "IEND", NULL, 0);
    return s;
}

/* F-052.  */
static void test_palette(void **state)
{
    struct image im;
    struct str s;

    (void)state;
    s = palette(9, 3, 8);
    picture_decode(&im, s.data, s.len);
    image_release(&im);
    str_release(&s);
    s = palette(9, 0, 2);
    picture_decode(&im, s.data, s.len);
    image_release(&im);
    str_release(&s);
    s = palette(SIZE_MAX, 0, 8);
    no(&s, ERR_FORMAT, "no PLTE");
    s = palette(0, 0, 8);
    no(&s, ERR_FORMAT, "PLTE at byte 33: 0 bytes");
    s = palette(257 * 3, 0, 8);
    no(&s, ERR_FORMAT, "not 1 to 256 colours");
    s = palette(10, 0, 8);
    no(&s, ERR_FORMAT, "not 1 to 256 colours");
    s = palette(15, 0, 2);
    no(&s, ERR_FORMAT, "more colours than the depth");
    s = palette(6, 0, 8);
    no(&s, ERR_FORMAT, "row 1: colour 2 in a palette of 2");
    s = palette(6, 0, 2);
    no(&s, ERR_FORMAT, "row 1: colour 2 in a palette of 2");
    s = palette(9, 4, 8);
    no(&s, ERR_FORMAT, "does not fit the palette");
}

/* F-055: one chunk too many or in a place where it must not be.  Each list
 * stands for a file: H header, D data, E end, P palette, T transparency, t
 * text, X an unknown chunk that is needed.  */
static void test_order(void **state)
{
    static const struct {
        const char *list, *words;
    } cases[] = {{"DE", "before IHDR"},
                 {"HHDE", "a second one"},
                 {"HPPDE", "a second one"},
                 {"HDPDE", "behind the image"},
                 {"HDtDE", "apart"},
                 {"HD", "without IEND"},
                 {"HE", "no image data"},
                 {"HXDE", "said to be needed"},
                 {"HTTDE", "a second one"},
                 {"HDTE", "wrong place"},
                 {"tHDE", "before IHDR"},
                 {"H", "without IEND"},
                 {"HDtXE", "said to be needed"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str s = {0}, h = {0};

        picture_png_begin(&h, 1, 1, 8, 2, 0);
        str_addn(&s, h.data, 8);
        for (const char *c = cases[i].list; *c; c++) {
            if (*c == 'H')
                str_addn(&s, h.data + 8, h.len - 8);
            if (*c == 'D')
                picture_png_data(&s, "\0abc", 4);
            if (*c == 'E')
                picture_png_chunk(&s, "IEND", NULL, 0);
            if (*c == 'P')
                picture_png_chunk(&s, "PLTE", "abc", 3);
            if (*c == 'T')
                picture_png_chunk(&s, "tRNS", "abcdef", 6);
            if (*c == 't')
                picture_png_chunk(&s, "tEXt", "a\0b", 3);
            if (*c == 'X')
                picture_png_chunk(&s, "NEED", "abc", 3);
        }
        no(&s, ERR_FORMAT, cases[i].words);
        str_release(&h);
    }
}

static void with_chunk(const char *name, const void *p, size_t n, int grey_type,
                       const char *words)
{
    struct str s = {0};
    struct image im;

    picture_png_begin(&s, 1, 1, 8, grey_type ? 0 : 2, 0);
    picture_png_chunk(&s, name, p, n);
    picture_png_data(&s, "\0abc", grey_type ? 2 : 4);
    picture_png_chunk(&s, "IEND", NULL, 0);
    if (words) {
        no(&s, ERR_FORMAT, words);
        return;
    }
    picture_decode(&im, s.data, s.len);
    image_release(&im);
    str_release(&s);
}

/* F-055, F-057: what is not read cannot hurt.  */
static void test_other_chunks(void **state)
{
    static const char bomb[] = "n\0\0\x78\xda\xff\xff\xff\xff\xff\xff";

    (void)state;
    with_chunk("zTXt", bomb, sizeof bomb, 0, NULL);
    with_chunk("iCCP", bomb, sizeof bomb, 0, NULL);
    with_chunk("iTXt", bomb, sizeof bomb, 0, NULL);
    with_chunk("gAMA", "\0\0\0\0", 4, 0, NULL);
    with_chunk("cHRM", bomb, 0, 0, NULL);
    with_chunk("eXIf", "MM", 2, 0, NULL);
    with_chunk("PLTE", "abc", 3, 1, "palette in a grey");
    with_chunk("tRNS", "ab", 2, 0, "does not fit");
    with_chunk("tRNS", "abc", 3, 1, "does not fit");
    with_chunk("t3Xt", "abc", 3, 0, "no chunk name");
}

static void test_many_chunks(void **state)
{
    struct str s = {0}, empty = {0};
    struct image im;

    (void)state;
    picture_png_chunk(&empty, "tEXt", NULL, 0);
    picture_png_begin(&s, 1, 1, 8, 2, 0);
    for (int i = 0; i < 100000; i++)
        str_addn(&s, empty.data, empty.len);
    picture_png_data(&s, "\0abc", 4);
    picture_png_chunk(&s, "IEND", NULL, 0);
    picture_decode(&im, s.data, s.len);
    image_release(&im);
    str_release(&s);
    str_release(&empty);
}

/* Apple's PNG: a chunk in front, data without a zlib head.  */
static struct str apple(void)
{
    struct str s = {0}, h = {0};

    picture_png_begin(&h, 1, 1, 8, 2, 0);
    str_addn(&s, h.data, 8);
    picture_png_chunk(&s, "CgBI", "\x50\0\x20\6", 4);
    str_addn(&s, h.data + 8, h.len - 8);
    picture_png_chunk(&s, "IDAT", "x", 1);
    picture_png_chunk(&s, "IEND", NULL, 0);
    str_release(&h);
    return s;
}

/* 2 x 1 pixels that are to be turned to the right.  */
static struct str turned(void)
{
    static const char exif[] = "MM\0*\0\0\0\x8\0\1\1\x12\0\3\0\0\0\1\0\6\0\0";
    struct str s = {0};

    picture_png_begin(&s, 2, 1, 8, 0, 0);
    picture_png_data(&s, "\0ab", 3);
    picture_png_chunk(&s, "eXIf", exif, sizeof exif);
    picture_png_chunk(&s, "IEND", NULL, 0);
    return s;
}

static struct str animation(void)
{
    struct str s = {0};

    picture_png_begin(&s, 1, 1, 8, 2, 0);
    picture_png_chunk(&s, "acTL", "\0\0\0\2\0\0\0\0", 8);
    picture_png_chunk(&s, "fcTL", "\0\0\0\0........................", 26);
    picture_png_data(&s, "\0abc", 4);
    picture_png_chunk(&s, "fcTL", "\0\0\0\1........................", 26);
    picture_png_chunk(&s, "fdAT", "\0\0\0\2rubbish", 11);
    picture_png_chunk(&s, "IEND", NULL, 0);
    return s;
}

/* F-056: the frames of an animation are chunks that need not be known.  */
static void test_animation(void **state)
{
    struct str s = animation();
    struct image im;

    (void)state;
    picture_decode(&im, s.data, s.len);
    assert_memory_equal(im.rgb, "abc", 3);
    image_release(&im);
    str_release(&s);
}

/* F-058.  */
static void test_apple(void **state)
{
    struct str s = apple();

    (void)state;
    no(&s, ERR_UNSUPPORTED, "pngcrush");
}

/* F-057: the orientation of an eXIf chunk.  */
static void test_exif(void **state)
{
    const struct codec_opts o = {.exif = 1};
    struct codec_info ci;
    struct image im;
    struct str s = turned();
    struct err e = {0};

    (void)state;
    assert_int_equal(codec_info(&ci, (const uint8_t *)s.data, s.len, &e), 0);
    assert_int_equal(ci.orientation, 6);
    assert_int_equal(ci.w, 2);
    assert_int_equal(codec_decode(&im, (const uint8_t *)s.data, s.len, &o, &e),
                     0);
    assert_int_equal(im.w, 1);
    assert_int_equal(im.h, 2);
    assert_memory_equal(im.rgb, "aaabbb", 6);
    image_release(&im);
    str_release(&s);
}

static void test_signature(void **state)
{
    struct str s = sound();

    (void)state;
    s.data[4] = '\n'; /* as after a transfer as text */
    no(&s, ERR_FORMAT, "signature is damaged");
}

/* Damage with right check sums reaches what lies behind them.  */
static void test_fuzz(void **state)
{
    struct str s[] = {sound(),     palette(9, 3, 8), palette(9, 0, 2),
                      animation(), turned(),         apple(),
                      {0}};
    struct fuzz_seed seeds[COUNT(s)];
    struct str *const deep = &s[COUNT(s) - 1];
    char raw[200] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (char)(i % 5);
    picture_png_begin(deep, 5, 5, 16, 2, 1);
    picture_png_data(deep, raw, 161);
    picture_png_chunk(deep, "IEND", NULL, 0);
    for (size_t i = 0; i < COUNT(s); i++)
        seeds[i] = (struct fuzz_seed){s[i].data, s[i].len};
    fuzz_run(fuzz_image, seeds, COUNT(s), picture_png_repair, 10000, 49);
    for (size_t i = 0; i < COUNT(s); i++)
        str_release(&s[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_and_flip),
        cmocka_unit_test(test_crc_and_length),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_amount),
        cmocka_unit_test(test_palette),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_other_chunks),
        cmocka_unit_test(test_many_chunks),
        cmocka_unit_test(test_animation),
        cmocka_unit_test(test_apple),
        cmocka_unit_test(test_exif),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
