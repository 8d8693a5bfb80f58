/* codec.c -- tests of lib/image/codec.c, and of the pixels of every format.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fuzz.h"
#include "../picture.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "image/codec.h"
#include "image/jpeg.h"
#include "ref_files.h"

static int have_turbo(void)
{
    struct image im;
    struct err e = {0};
    size_t n;
    uint8_t *p;

    picture_noise(&im, 1, 1);
    p = jpeg_encode(&im, 50, &n, &e);
    image_release(&im);
    free(p);
    return p != NULL;
}

/* Pictures that stb_image makes are near to Pillow's, not the same.  */
static void check_mean(const struct image *im, const struct ref_file *f)
{
    const int64_t n = (int64_t)im->w * im->h;

    for (int c = 0; c < 3; c++) {
        int64_t sum = 0;

        for (int64_t i = 0; i < n; i++)
            sum += im->rgb[3 * i + c];
        assert_in_range(sum / n + 3, f->mean[c], f->mean[c] + 6);
    }
}

static void test_like_pillow(void **state)
{
    const int exact = have_turbo();

    (void)state;
    for (size_t i = 0; i < COUNT(ref_files); i++) {
        const struct ref_file *f = &ref_files[i];
        struct codec_info ci;
        struct image im;
        struct err e = {0};
        size_t n;
        uint8_t *p = picture_from_hex(f->hex, &n);

        if (codec_info(&ci, p, n, &e) < 0)
            fail_msg("%s: %s", f->name, e.msg);
        if (!exact && !strcmp(f->name, "jpeg cmyk without adobe")) {
            picture_refused(p, n, ERR_UNSUPPORTED, "Adobe");
            free(p);
            continue;
        }
        picture_decode(&im, p, n);
        assert_int_equal(strncmp(ci.format, f->name, strlen(ci.format)), 0);
        assert_int_equal(ci.orientation, 1);
        assert_int_equal(ci.w, f->w);
        assert_int_equal(ci.h, f->h);
        assert_int_equal(im.w, f->w);
        assert_int_equal(im.h, f->h);
        if (strncmp(f->name, "jpeg", 4) || exact) {
            if (image_crc(&im) != f->crc)
                fail_msg("%s: the pixels are not Pillow's", f->name);
        } else {
            check_mean(&im, f);
        }
        image_release(&im);
        free(p);
    }
}

/* F-047, F-061: what people also have, by its first bytes.  */
static void test_refused(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        int code;
        const char *words;
    } t[] = {
        {"", 0, ERR_FORMAT, "is empty"},
        {"GIF89a......", 12, ERR_UNSUPPORTED, "magick 'IN.gif[0]' OUT.png"},
        {"II*\0....", 8, ERR_UNSUPPORTED, "is a TIFF"},
        {"MM\0*....", 8, ERR_UNSUPPORTED, "is a TIFF"},
        {"RIFF....WEBPVP8 ", 16, ERR_UNSUPPORTED, "dwebp"},
        {"\0\0\0\x18"
         "ftypheic....",
         16, ERR_UNSUPPORTED, "heif-convert"},
        {"\0\0\0\x18"
         "ftypmif1....",
         16, ERR_UNSUPPORTED, "heif-convert"},
        {"\0\0\0\x18"
         "ftypavif....",
         16, ERR_UNSUPPORTED, "avifdec"},
        {"8BPS....", 8, ERR_UNSUPPORTED, "a PSD"},
        {"\0\0\1\0\1\0..", 8, ERR_UNSUPPORTED, "an ICO"},
        {"%PDF-1.7", 8, ERR_UNSUPPORTED, "pdftoppm"},
        {"\xff\x0a......", 8, ERR_UNSUPPORTED, "djxl"},
        {"\x1f\x8b\x8......", 9, ERR_UNSUPPORTED, "gunzip"},
        {"PK\3\4....", 8, ERR_UNSUPPORTED, "unzip"},
        {"P7\nWIDTH", 8, ERR_UNSUPPORTED, "pamtopnm"},
        {"<svg xmlns", 10, ERR_UNSUPPORTED, "rsvg-convert"},
        {"\xef\xbb\xbf\n<?xml version='1.0'?><!-- --><svg>", 37,
         ERR_UNSUPPORTED, "an SVG"},
        {"  <!DOCTYPE HTML>", 17, ERR_UNSUPPORTED, "an HTML page"},
        {"<HTML><head>", 12, ERR_UNSUPPORTED, "an HTML page"},
        {"<?xml version='1.0'?>", 21, ERR_FORMAT, "is no picture"},
        {"version https://git-lfs.github.com/spec/v1\noid ", 47,
         ERR_UNSUPPORTED, "git lfs pull"},
        {"P", 1, ERR_FORMAT, "begins with 50"},
        {"P8 1 1", 6, ERR_FORMAT, "is no picture"},
        {"\1\2\3\4\5\6\7\x8\x9", 9, ERR_FORMAT,
         "begins with 01 02 03 04 05 06 07 08"},
    };
    char tga[60] = {0, 0, 2};

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++)
        picture_refused(t[i].p, t[i].n, t[i].code, t[i].words);
    memcpy(tga + 42, "TRUEVISION-XFILE.", 18);
    picture_refused(tga, sizeof tga, ERR_UNSUPPORTED, "a TGA");
}

/* One pixel more than the limit, one less: each format asks.  */
static void test_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ref_files); i++) {
        const struct ref_file *f = &ref_files[i];
        struct codec_opts o = {.max_pixels = (int64_t)f->w * f->h};
        struct image im;
        struct err e = {0};
        size_t n;
        uint8_t *p = picture_from_hex(f->hex, &n);

        if (codec_decode(&im, p, n, &o, &e) < 0)
            assert_null(strstr(e.msg, "limit"));
        image_release(&im);
        e = (struct err){0};
        if (--o.max_pixels) {
            assert_int_equal(codec_decode(&im, p, n, &o, &e), -1);
            assert_int_equal(e.code, ERR_UNSUPPORTED);
            assert_non_null(strstr(e.msg, "more than the limit of"));
            assert_null(im.rgb);
        }
        free(p);
    }
}

static struct str folder(void)
{
    struct str s = {0};
    char t[] = "/tmp/adze-codec-XXXXXX";

    assert_non_null(mkdtemp(t));
    str_add(&s, t);
    return s;
}

static void save(const char *path, const void *p, size_t n)
{
    struct err e = {0};
    struct out o;

    assert_int_equal(out_open(&o, path, &e), 0);
    assert_int_equal(out_write(&o, p, n, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
}

static void save_png(const struct image *im, const char *path)
{
    struct err e = {0};
    struct out o;

    assert_int_equal(out_open(&o, path, &e), 0);
    assert_int_equal(codec_write_png(im, &o, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
}

/* What we write we read; the file is named where it is not what it should
 * be (F-047: its suffix does not matter).  */
static void test_files(void **state)
{
    struct str dir = folder(), path = {0};
    struct image im, back;
    struct err e = {0};

    (void)state;
    str_printf(&path, "%s/a.jpg", str_text(&dir));
    picture_noise(&im, 37, 21);
    save_png(&im, str_text(&path));
    assert_int_equal(codec_read(&back, str_text(&path), NULL, &e), 0);
    assert_int_equal(image_crc(&back), image_crc(&im));
    image_release(&back);

    if (have_turbo()) {
        size_t n;
        uint8_t *jpeg = jpeg_encode(&im, 75, &n, &e);

        save(str_text(&path), jpeg, n);
        free(jpeg);
        assert_int_equal(codec_read(&back, str_text(&path), NULL, &e), 0);
        assert_int_equal(back.w, 37);
        image_release(&back);
    }

    save(str_text(&path), "\x89PNG\r\n\x1a\n", 8);
    assert_int_equal(codec_read(&back, str_text(&path), NULL, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    assert_non_null(strstr(e.msg, "/a.jpg': png: ends at byte 8"));
    unlink(str_text(&path));

    e = (struct err){0};
    assert_int_equal(codec_read(&back, str_text(&path), NULL, &e), -1);
    assert_int_equal(e.code, ERR_INPUT);
    assert_non_null(strstr(e.msg, "/a.jpg': No such file"));
    e = (struct err){0};
    assert_int_equal(codec_read(&back, str_text(&dir), NULL, &e), -1);
    assert_int_equal(e.code, ERR_INPUT);
    assert_null(back.rgb);
    rmdir(str_text(&dir));
    image_release(&im);
    str_release(&path);
    str_release(&dir);
}

/* F-054 aside, PNG is exact for every size.  */
static void test_png_sizes(void **state)
{
    static const int size[][2] = {{1, 1}, {1, 999}, {999, 1}, {256, 3}};

    (void)state;
    for (size_t i = 0; i < COUNT(size); i++) {
        struct str dir = folder(), path = {0};
        struct image im, back;
        struct err e = {0};

        str_printf(&path, "%s/a", str_text(&dir));
        picture_noise(&im, size[i][0], size[i][1]);
        save_png(&im, str_text(&path));
        assert_int_equal(codec_read(&back, str_text(&path), NULL, &e), 0);
        assert_int_equal(back.w, im.w);
        assert_int_equal(image_crc(&back), image_crc(&im));
        image_release(&im);
        image_release(&back);
        unlink(str_text(&path));
        rmdir(str_text(&dir));
        str_release(&path);
        str_release(&dir);
    }
}

/* Photographs beside the repository, with the CRC of the pixels that Pillow
 * 13.0.0 reads.  */
static void test_photos(void **state)
{
    static const char *const names[] = {
        "n01440764_tench", "n02128385_leopard", "n03770679_minivan",
        "n09399592_promontory", "n12998815_agaric"};
    static const uint32_t want[] = {0x4561c35e, 0xa674e194, 0xfecf00e6,
                                    0x2b38d4cc, 0x3f81ad4b};

    (void)state;
    if (!have_turbo()) {
        print_message("# skipped: needs libjpeg-turbo\n");
        return;
    }
    for (size_t i = 0; i < COUNT(names); i++) {
        struct str path = {0};
        struct image im;
        struct err e = {0};

        str_printf(&path, "../shared/data/photos/%s.JPEG", names[i]);
        if (access(str_text(&path), R_OK)) {
            str_release(&path);
            print_message("# skipped: no ../shared/data/photos\n");
            return;
        }
        if (codec_read(&im, str_text(&path), NULL, &e) < 0)
            fail_msg("%s", e.msg);
        assert_int_equal(image_crc(&im), want[i]);
        image_release(&im);
        str_release(&path);
    }
}

static void test_fuzz(void **state)
{
    static const char *const foreign[] = {
        "\xef\xbb\xbf\n<?xml version='1.0'?><!-- --><svg>", "GIF89a",
        " <!DOCTYPE HTML>", "12345678901234567890123456TRUEVISION-XFILE.\0"};
    enum { FILES = COUNT(ref_files), FOREIGN = COUNT(foreign) };
    struct fuzz_seed seeds[FILES + FOREIGN];
    uint8_t *p[FILES];

    (void)state;
    for (size_t i = 0; i < FOREIGN; i++)
        seeds[FILES + i] =
            (struct fuzz_seed){foreign[i], strlen(foreign[i]) + 1};
    for (size_t i = 0; i < COUNT(ref_files); i++) {
        p[i] = picture_from_hex(ref_files[i].hex, &seeds[i].n);
        seeds[i].p = p[i];
    }
    fuzz_run(fuzz_image, seeds, COUNT(seeds), picture_png_repair, 10000, 30);
    for (size_t i = 0; i < COUNT(ref_files); i++)
        free(p[i]);
}

/* A second picture behind each kind of file is seen, also one of JPEG; other
 * bytes are none, nor are pictures that the first says are its parts.  */
static void test_second(void **state)
{
    static const uint8_t mpf[] = {0xff, 0xe2, 0, 6, 'M', 'P', 'F', 0};
    struct image im;
    struct err e = {0};
    size_t n;
    uint8_t *p, *two;

    (void)state;
    picture_noise(&im, 9, 7);
    p = jpeg_encode(&im, 50, &n, &e);
    image_release(&im);
    if (!p)
        skip();
    two = xmalloc(2 * n + sizeof mpf);
    memcpy(two, p, n);
    memcpy(two + n, p, n);
    assert_int_equal(codec_second(p, n), 0);
    assert_int_equal(codec_second(two, 2 * n), n);
    assert_int_equal(codec_second(two, n + 1), 0);
    two[n] = 0;
    assert_int_equal(codec_second(two, 2 * n), 0);
    memcpy(two + 2, mpf, sizeof mpf); /* behind the first marker */
    memcpy(two + 2 + sizeof mpf, p + 2, n - 2);
    memcpy(two + n + sizeof mpf, p, n);
    assert_int_equal(codec_second(two, 2 * n + sizeof mpf), 0);
    free(two);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_pillow), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limit),       cmocka_unit_test(test_files),
        cmocka_unit_test(test_png_sizes),   cmocka_unit_test(test_photos),
        cmocka_unit_test(test_second),      cmocka_unit_test(test_fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
