/* jpeg.c -- tests of lib/image/jpeg*.c: faults F-030 to F-048.
 * SPDX-License-Identifier: MIT
 *
 * What sound files give is tested in codec.c.  Damage inside the coded data
 * is seen by libjpeg-turbo only.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz.h"
#include "../picture.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
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

/* Whether the rest of the test can be done.  */
static int need_turbo(void)
{
    if (!have_turbo())
        print_message("# skipped: needs libjpeg-turbo\n");
    return have_turbo();
}

static struct str file(const char *name)
{
    struct str s = {0};

    for (size_t i = 0; i < sizeof ref_files / sizeof *ref_files; i++)
        if (!strcmp(ref_files[i].name, name)) {
            size_t n;
            uint8_t *p = picture_from_hex(ref_files[i].hex, &n);

            str_addn(&s, (char *)p, n);
            free(p);
            return s;
        }
    fail_msg("no file '%s'", name);
    return s;
}

/* Where the marker MARKER stands, before the first scan's data.  */
static size_t find(const struct str *s, uint8_t marker)
{
    const uint8_t *p = (const uint8_t *)s->data;
    size_t at = 2;

    while (p[at + 1] != marker) {
        assert_true(at + 4 < s->len && p[at + 1] != 0xda);
        at += 2 + (size_t)(p[at + 2] << 8 | p[at + 3]);
    }
    return at;
}

static void insert(struct str *s, size_t at, const void *p, size_t n)
{
    struct str tail = {0};

    str_addn(&tail, s->data + at, s->len - at);
    s->len = at;
    str_addn(s, p, n);
    str_addn(s, tail.data, tail.len);
    str_release(&tail);
}

static void set_size(struct str *s, unsigned w, unsigned h)
{
    const size_t at =
        find(s, memmem(s->data, s->len, "\xff\xc2", 2) ? 0xc2 : 0xc0);

    s->data[at + 5] = (char)(h >> 8);
    s->data[at + 6] = (char)h;
    s->data[at + 7] = (char)(w >> 8);
    s->data[at + 8] = (char)w;
}

static void no(struct str *s, int code, const char *words)
{
    picture_refused(s->data, s->len, code, words);
    str_release(s);
}

static uint32_t crc_of(const struct str *s)
{
    struct image im;
    uint32_t crc;

    picture_decode(&im, s->data, s->len);
    crc = image_crc(&im);
    image_release(&im);
    return crc;
}

/* F-030.  */
static void test_empty(void **state)
{
    (void)state;
    picture_refused("", 0, ERR_FORMAT, "is empty");
    picture_refused("\xff\xd8", 2, ERR_FORMAT, "without the end");
    picture_refused("\xff\xd8\xff", 3, ERR_FORMAT, "without the end");
    picture_refused("\xff\xd8\xff\xd9", 4, ERR_FORMAT, "before any picture");
    picture_refused("\xff\xd8\0\0", 4, ERR_FORMAT, "00 at byte 2");
}

/* F-031, F-032.  */
static void test_cut(void **state)
{
    static const char *const names[] = {"jpeg baseline 4:2:0",
                                        "jpeg progressive", "jpeg restarts"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct str s = file(names[i]);

        assert_int_equal(fuzz_cut(fuzz_image, s.data, s.len), 0);
        str_release(&s);
    }
}

/* F-033, F-034: sizes that the data cannot have, before memory is taken.  */
static void test_sizes(void **state)
{
    static const char *const names[] = {"jpeg baseline 4:2:0",
                                        "jpeg progressive"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct str s = file(names[i]);

        set_size(&s, 65500, 65500);
        no(&s, ERR_UNSUPPORTED, "65500x65500 pixels are more than the limit");
        s = file(names[i]);
        set_size(&s, 13000, 13000);
        no(&s, ERR_FORMAT, "cannot hold 13000x13000");
        s = file(names[i]);
        set_size(&s, 0, 23);
        no(&s, ERR_FORMAT, "a width of 0");
        s = file(names[i]);
        set_size(&s, 33, 0);
        no(&s, ERR_UNSUPPORTED, "DNL");
    }
}

/* F-035.  */
static void test_scans(void **state)
{
    struct str s = file("jpeg grey");
    struct str more = {0};

    (void)state;
    for (int i = 0; i < JPEG_SCANS; i++)
        str_addn(&more, "\xff\xda\0\x8\1\1\0\0\x3f\0", 10);
    insert(&s, s.len - 2, more.data, more.len);
    str_release(&more);
    no(&s, ERR_UNSUPPORTED, "more than 500 scans");
    s = file("jpeg grey"); /* few enough, but over a large picture */
    set_size(&s, 5800, 5800);
    for (int i = 0; i < 200; i++)
        str_addn(&more, "\xff\xda\0\x8\1\1\0\0\x3f\0", 10);
    for (int i = 0; i < 70000; i++)
        str_addc(&more, 0);
    insert(&s, s.len - 2, more.data, more.len);
    str_release(&more);
    no(&s, ERR_UNSUPPORTED, "201 scans over 5800x5800 pixels");
}

/* F-036.  */
static void test_segments(void **state)
{
    static const struct {
        const char *what;
        size_t n;
        const char *words;
    } bad[] = {
        {"\xff\xfe\0\0", 4, "length is below 2"},
        {"\xff\xfe\0\1", 4, "length is below 2"},
        {"\xff\xfe\xff\xff", 4, "states 65535 bytes"},
        {"\xff\xd8", 2, "no marker that may stand here"},
        {"\xff\x0", 2, "no marker that may stand here"},
        {"\xff\x42", 2, "no marker that may stand here"},
        {"x", 1, "78 at byte 2"},
        {"\xff\xdd\0\3\1", 5, "4 bytes long"},
        {"\xff\xdb\0\3\4", 5, "no such place"},
        {"\xff\xdb\0\3\x20", 5, "no such place"},
        {"\xff\xdb\0\4\0\1", 6, "is cut"},
        {"\xff\xc4\0\3\0", 5, "is cut"},
        {"\xff\xc4\0\x13\x24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 21,
         "no such place"},
        {"\xff\xc4\0\x13\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 21, "over-full"},
        {"\xff\xc4\0\x13\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 21,
         "past the segment"},
        {"\xff\xda\0\x8\1\1\0\0\x3f\0", 10, "before the frame"},
    };
    struct str s, more = {0};
    uint32_t crc;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s = file("jpeg grey");
        insert(&s, 2, bad[i].what, bad[i].n);
        no(&s, ERR_FORMAT, bad[i].words);
    }
    s = file("jpeg grey");
    crc = crc_of(&s);
    for (int i = 0; i < 3000; i++)
        str_addn(&more, "\xff\xe3\0\2\xff\xff\xfe\0\3x\xff\xdd\0\4\0\0", 16);
    for (int i = 0; i < 3; i++) {
        str_addn(&more, "\xff\xe2\xff\xff", 4);
        for (int j = 0; j < 65533; j++)
            str_addc(&more, (char)j);
    }
    insert(&s, 2, more.data, more.len);
    assert_int_equal(crc_of(&s), crc);
    str_release(&more);
    str_release(&s);
    /* tables again and again */
    s = file("jpeg grey");
    for (size_t i = 0; i < 2; i++) {
        const size_t at = find(&s, i ? 0xc4 : 0xdb);
        const size_t n = 2 + (size_t)((uint8_t)s.data[at + 2] << 8 |
                                      (uint8_t)s.data[at + 3]);

        for (int k = 0; k < 2000; k++)
            str_addn(&more, s.data + at, n);
        insert(&s, at, more.data, more.len);
        str_clear(&more);
    }
    assert_int_equal(crc_of(&s), crc);
    str_release(&more);
    str_release(&s);
}

/* F-037, F-038: other numbers of components.  */
static void test_components(void **state)
{
    struct str s = file("jpeg 4:4:4");
    const size_t at = find(&s, 0xc0);

    (void)state;
    s.data[at + 3] = 14;
    s.data[at + 9] = 2;
    insert(&s, at + 16, "\xff\xfe\0\3", 4); /* so that the rest is a segment */
    no(&s, ERR_UNSUPPORTED, "only 1, 3 or 4 components");
    s = file("jpeg 4:4:4");
    s.data[at + 9] = 4;
    no(&s, ERR_FORMAT, "does not fit its components");
    s = file("jpeg 4:4:4");
    s.data[at + 11] = 0x01;
    no(&s, ERR_FORMAT, "sampling factor");
    s = file("jpeg 4:4:4");
    s.data[at + 11] = 0x15;
    no(&s, ERR_FORMAT, "sampling factor");
    s = file("jpeg 4:4:4");
    s.data[at + 12] = 4;
    no(&s, ERR_FORMAT, "quantisation table");
}

/* F-039: sound but not read.  */
static void test_kinds(void **state)
{
    static const struct {
        uint8_t marker;
        const char *words;
    } kinds[] = {{0xc3, "lossless"},     {0xc5, "hierarchical"},
                 {0xc9, "arithmetic"},   {0xca, "arithmetic"},
                 {0xcb, "lossless"},     {0xcc, "arithmetic"},
                 {0xde, "hierarchical"}, {0xcf, "hierarchical"}};
    struct str s;
    size_t at;

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        s = file("jpeg grey");
        s.data[find(&s, 0xc0) + 1] = (char)kinds[i].marker;
        no(&s, ERR_UNSUPPORTED, kinds[i].words);
    }
    s = file("jpeg grey");
    at = find(&s, 0xc0);
    s.data[at + 4] = 12;
    no(&s, ERR_UNSUPPORTED, "8 bits");
    s = file("jpeg grey");
    insert(&s, at, s.data + at, 13);
    no(&s, ERR_FORMAT, "second frame");
}

/* F-040: fractional sampling, luma below chroma: a picture or a word.  */
static void test_sampling(void **state)
{
    (void)state;
    for (int y = 0x11; y <= 0x44; y++)
        for (int c = 0x11; c <= 0x44; c += 0x11) {
            struct str s = file("jpeg 4:2:2");
            const size_t at = find(&s, 0xc0);

            s.data[at + 11] = (char)y;
            s.data[at + 14] = (char)c;
            fuzz_image((const uint8_t *)s.data, s.len);
            str_release(&s);
        }
}

/* F-041: a restart marker that is missing, or another one.  */
static void test_restarts(void **state)
{
    struct str s = file("jpeg restarts");
    char *first = memmem(s.data, s.len, "\xff\xd0", 2);

    (void)state;
    assert_non_null(first);
    if (!need_turbo()) {
        str_release(&s);
        return;
    }
    first[1] = (char)0xd3;
    no(&s, ERR_FORMAT, "jpeg: before byte");
    s = file("jpeg restarts");
    first = memmem(s.data, s.len, "\xff\xd1", 2);
    memmove(first, first + 2, (size_t)(s.data + s.len - first - 2));
    s.len -= 2;
    no(&s, ERR_FORMAT, "jpeg: before byte");
}

/* F-043, F-045: what lies before and behind does not matter.  */
static void test_around(void **state)
{
    struct str s = file("jpeg grey"), other = file("jpeg 1x1");
    const uint32_t crc = crc_of(&s);

    (void)state;
    insert(&s, 2, "\xff\xe2\0\x12ICC_PROFILE\0\7\3xx", 20);
    assert_int_equal(crc_of(&s), crc);
    str_addn(&s, other.data, other.len); /* as in an MPO */
    assert_int_equal(crc_of(&s), crc);
    str_add(&s, "\xff\xd8 and rubbish");
    assert_int_equal(crc_of(&s), crc);
    str_release(&s);
    str_release(&other);
}

/* An EXIF block that says: turn it to the right.  */
static const char app1[] = "\xff\xe1\0\x22"
                           "Exif\0\0II*\0\x8\0\0\0\1\0\x12\1\3\0\1\0\0\0"
                           "\6\0\0\0\0\0\0\0";

/* All of it, at least this large.  */
struct all {
    struct codec_part part; /* first: choose() gets it */
    int w, h;
};

static void choose_all(struct codec_part *p, int w, int h)
{
    const struct all *a = (const struct all *)p;

    p->w = w;
    p->h = h;
    p->min_w = a->w;
    p->min_h = a->h;
}

static void decode_fast(struct image *im, const struct str *s, int w, int h)
{
    struct all a = {{.choose = choose_all}, w, h};
    const struct codec_opts o = {.exif = 1, .part = &a.part};
    struct err e = {0};

    if (codec_decode(im, (uint8_t *)s->data, s->len, &o, &e) < 0)
        fail_msg("%s", e.msg);
}

/* F-044: EXIF turns the picture only where it is asked for.  */
static void test_exif(void **state)
{
    const struct codec_opts o = {.exif = 1};
    struct codec_info ci;
    struct image im;
    struct err e = {0};
    struct str s = file("jpeg grey");
    const uint32_t crc = crc_of(&s);

    (void)state;
    insert(&s, 2, app1, 36);
    assert_int_equal(crc_of(&s), crc);
    assert_int_equal(codec_info(&ci, (uint8_t *)s.data, s.len, &e), 0);
    assert_int_equal(ci.orientation, 6);
    assert_int_equal(ci.w, 33);
    assert_int_equal(ci.h, 23);
    assert_int_equal(codec_decode(&im, (uint8_t *)s.data, s.len, &o, &e), 0);
    assert_int_equal(im.w, 23);
    assert_int_equal(im.h, 33);
    image_release(&im);
    if (have_turbo()) { /* the size asked for is of the upright picture */
        decode_fast(&im, &s, 11, 16);
        assert_int_equal(im.w, 12);
        assert_int_equal(im.h, 17);
        image_release(&im);
    }
    str_release(&s);
}

/* F-042: codes of ones alone; differences that add up to more than a
 * coefficient holds: a picture or a word.  */
static void test_codes(void **state)
{
    struct str s = file("jpeg grey");
    const size_t at = find(&s, 0xc4) + 5; /* counts by length, then symbols */

    (void)state;
    for (int length = 0; length < 16; length++)
        for (int symbol = 0; symbol < 256; symbol++) {
            struct str t = {0};

            str_addn(&t, s.data, s.len);
            for (int k = 0; k < 16; k++)
                t.data[at + (size_t)k] = 0;
            t.data[at + (size_t)length] = 2; /* 0 and, of length 1, 1 */
            for (int k = 0; k < 12; k++)
                t.data[at + 16 + (size_t)k] = (char)symbol;
            fuzz_image((const uint8_t *)t.data, t.len);
            str_clear(&t);
            str_addn(&t, s.data, s.len);
            t.data[at + 16 + (size_t)length % 12] = (char)symbol;
            fuzz_image((const uint8_t *)t.data, t.len);
            str_release(&t);
        }
    str_release(&s);
}

/* Tables that a scan needs and the file has not.  libjpeg-turbo knows those
 * of codes that Motion JPEG leaves out; stb would read what malloc() gave.  */
static void test_no_tables(void **state)
{
    static const struct {
        const char *name;
        uint8_t marker;
    } t[] = {{"jpeg grey", 0xc4},
             {"jpeg grey", 0xdb},
             {"jpeg progressive", 0xc4},
             {"jpeg progressive", 0xdb}};

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        struct str s = file(t[i].name);

        s.data[find(&s, t[i].marker) + 1] = (char)0xfe; /* a comment */
        if (!have_turbo()) {
            no(&s, ERR_FORMAT, "needs a table that is not there");
            continue;
        }
        if (t[i].marker == 0xdb)
            picture_refused(s.data, s.len, ERR_FORMAT, "was not defined");
        else
            fuzz_image((const uint8_t *)s.data, s.len);
        str_release(&s);
    }
}

/* F-042, F-046: whatever the library would only warn of is an error.  */
static void test_warnings(void **state)
{
    const char *const names[] = {"jpeg baseline 4:2:0", "jpeg progressive"};

    (void)state;
    if (!need_turbo())
        return;
    for (size_t i = 0; i < 2; i++) {
        struct str s = file(names[i]);
        char *end = s.data + s.len - 2;

        memmove(end - 50, end, 2); /* a hole, not at a scan's border */
        s.len -= 50;
        no(&s, ERR_FORMAT, i ? "jpeg: segment" : "jpeg: before byte");
        s = file(names[i]);
        insert(&s, s.len - 2, "rubbish, more than is read ahead", 32);
        no(&s, ERR_FORMAT, "xtraneous bytes");
    }
}

/* DCT scaling: the rule of Pillow's draft().  */
static void test_fast(void **state)
{
    static const struct {
        int fast_w, fast_h, w, h;
    } t[] = {{0, 0, 33, 23},   {17, 12, 33, 23},  {16, 11, 17, 12},
             {16, 12, 33, 23}, {8, 5, 9, 6},      {4, 2, 5, 3},
             {1, 1, 5, 3},     {100, 100, 33, 23}};
    struct str s = file("jpeg baseline 4:2:0");

    (void)state;
    if (!need_turbo()) {
        str_release(&s);
        return;
    }
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct image im;

        decode_fast(&im, &s, t[i].fast_w, t[i].fast_h);
        assert_int_equal(im.w, t[i].w);
        assert_int_equal(im.h, t[i].h);
        image_release(&im);
    }
    str_release(&s);
}

/* What we write we read, nearly the same; F-048: thin ones too.  */
static void test_encode(void **state)
{
    static const int size[][2] = {{17, 23}, {1, 300},   {300, 1},
                                  {1, 1},   {1, 65500}, {65500, 1}};

    (void)state;
    if (!need_turbo())
        return;
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        struct image im, back;
        struct err e = {0};
        size_t n;
        uint8_t *p;

        assert_int_equal(image_new(&im, size[i][0], size[i][1], &e), 0);
        for (int j = 0; j < im.w * im.h * 3; j++)
            im.rgb[j] = (uint8_t)(100 + j % 3 * 20);
        p = jpeg_encode(&im, 95, &n, &e);
        assert_non_null(p);
        picture_decode(&back, p, n);
        assert_int_equal(back.w, im.w);
        assert_int_equal(back.h, im.h);
        for (int j = 0; j < im.w * im.h * 3; j++)
            assert_in_range(back.rgb[j] + 2, im.rgb[j], im.rgb[j] + 4);
        free(p);
        image_release(&im);
        image_release(&back);
    }
}

/* F-048: one side longer than libjpeg takes.  */
static void test_longest(void **state)
{
    struct str s = {0};
    struct image im;
    struct err e = {0};
    uint8_t *p;
    size_t n;

    (void)state;
    if (!need_turbo())
        return;
    assert_int_equal(image_new(&im, 1, 65500, &e), 0);
    p = jpeg_encode(&im, 75, &n, &e);
    assert_non_null(p);
    str_addn(&s, (char *)p, n);
    free(p);
    image_release(&im);
    set_size(&s, 1, 65535);
    no(&s, ERR_FORMAT, "65500");
}

static void test_fuzz(void **state)
{
    struct fuzz_seed seeds[16];
    uint8_t *p[16];
    struct str s = file("jpeg grey");
    size_t n = 0;

    (void)state;
    insert(&s, 2, app1, 36);
    for (size_t i = 0; i < sizeof ref_files / sizeof *ref_files && n < 15; i++)
        if (!strncmp(ref_files[i].name, "jpeg", 4)) {
            p[n] = picture_from_hex(ref_files[i].hex, &seeds[n].n);
            seeds[n].p = p[n];
            n++;
        }
    seeds[n] = (struct fuzz_seed){s.data, s.len};
    fuzz_run(fuzz_image, seeds, n + 1, NULL, 10000, 31);
    while (n)
        free(p[--n]);
    str_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_sizes),    cmocka_unit_test(test_scans),
        cmocka_unit_test(test_segments), cmocka_unit_test(test_components),
        cmocka_unit_test(test_kinds),    cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_restarts), cmocka_unit_test(test_around),
        cmocka_unit_test(test_exif),     cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_codes),    cmocka_unit_test(test_no_tables),
        cmocka_unit_test(test_fast),     cmocka_unit_test(test_encode),
        cmocka_unit_test(test_longest),  cmocka_unit_test(test_fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
