/* part.c -- parts of pictures: of every format, turned, scaled, near damage.
 * SPDX-License-Identifier: MIT
 *
 * What is cut while it is decoded is what would be cut afterwards.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../picture.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/stream.h"
#include "image/codec.h"
#include "image/geometry.h"
#include "image/image.h"
#include "image/jpeg.h"
#include "ref_files.h"

static int need_turbo(void)
{
    struct image im;
    struct err e = {0};
    size_t n;
    uint8_t *p;
    int have;

    picture_noise(&im, 1, 1);
    p = jpeg_encode(&im, 50, &n, &e);
    have = p != NULL;
    image_release(&im);
    free(p);
    if (!have)
        print_message("# skipped: needs libjpeg-turbo\n");
    return have;
}

struct rect {
    int x, y, w, h;
};

struct want {
    struct codec_part part; /* first: choose() gets it */
    struct rect r;          /* no width: all */
    int denom;              /* to be scaled by, if above 1 */
};

static void choose(struct codec_part *p, int w, int h)
{
    const struct want *k = (const struct want *)p;

    p->x = k->r.x;
    p->y = k->r.y;
    p->w = k->r.w ? k->r.w : w;
    p->h = k->r.w ? k->r.h : h;
    p->min_w = k->denom > 1 ? p->w / k->denom : 0;
    p->min_h = k->denom > 1 ? p->h / k->denom : 0;
}

/* Part R of the N bytes at P, all if it has no width.  */
static struct codec_part decode(struct image *im, const uint8_t *p, size_t n,
                                int exif, struct rect r, int denom)
{
    struct want k = {{.choose = choose}, r, denom};
    const struct codec_opts o = {.exif = exif, .part = &k.part};
    struct err e = {0};

    if (codec_decode(im, p, n, &o, &e) < 0)
        fail_msg("%s", e.msg);
    return k.part;
}

static void is_cut(const struct image *im, const struct image *all,
                   struct rect r, const char *name)
{
    static const uint8_t none[3];
    struct image cut;
    struct err e = {0};

    assert_int_equal(geometry_crop(&cut, all, r.x, r.y, r.w, r.h, none, &e), 0);
    if (im->w != cut.w || im->h != cut.h || image_crc(im) != image_crc(&cut))
        fail_msg("%s: %dx%d from %d,%d differs", name, r.w, r.h, r.x, r.y);
    image_release(&cut);
}

/* A part of W x H pixels, none of its sides below LEAST.  */
static struct rect random_rect(const struct rng *r, uint64_t i, int w, int h,
                               int least)
{
    struct rect c;

    c.w = least + (int)rng_below(r, 4 * i, (uint64_t)(w - least) + 1);
    c.h = least + (int)rng_below(r, 4 * i + 1, (uint64_t)(h - least) + 1);
    c.x = (int)rng_below(r, 4 * i + 2, (uint64_t)(w - c.w) + 1);
    c.y = (int)rng_below(r, 4 * i + 3, (uint64_t)(h - c.h) + 1);
    return c;
}

/* Every run of columns with some of rows, every run of rows with some of
 * columns.  */
static void all_parts(const char *name, const uint8_t *p, size_t n,
                      const struct image *all)
{
    const struct rng r = rng_at(1, RNG_TEST, 0, 0);
    const int side[2] = {all->w, all->h};
    uint64_t i = 0;

    for (int down = 0; down < 2; down++)
        for (int from = 0; from < side[down]; from++)
            for (int k = 1; k <= side[down] - from; k++) {
                struct rect c = random_rect(&r, i++, all->w, all->h, 1);
                struct codec_part part;
                struct image im;

                *(down ? &c.y : &c.x) = from;
                *(down ? &c.h : &c.w) = k;
                part = decode(&im, p, n, 0, c, 1);
                is_cut(&im, all, c, name);
                assert_int_equal(part.full_w, all->w);
                assert_int_equal(part.full_h, all->h);
                assert_true(part.box.x == 0 && part.box.y == 0 &&
                            part.box.w == c.w && part.box.h == c.h);
                image_release(&im);
            }
}

static void test_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ref_files); i++) {
        size_t n;
        uint8_t *p = picture_from_hex(ref_files[i].hex, &n);
        struct image all;
        struct err e = {0};

        if (codec_decode(&all, p, n, NULL, &e) == 0)
            all_parts(ref_files[i].name, p, n, &all);
        image_release(&all);
        free(p);
    }
}

static uint8_t *file(const char *name, size_t *n)
{
    for (size_t i = 0; i < COUNT(ref_files); i++)
        if (!strcmp(ref_files[i].name, name))
            return picture_from_hex(ref_files[i].hex, n);
    fail_msg("no file '%s'", name);
    return NULL;
}

/* A scaled part holds all pixels that have a share in it, and says where it
 * begins and ends among them.  */
static void test_scaled(void **state)
{
    const struct rng r = rng_at(2, RNG_TEST, 0, 0);
    static const char *const names[] = {"jpeg baseline 4:2:0",
                                        "jpeg progressive", "jpeg 4:4:4",
                                        "jpeg 4:2:2", "jpeg cmyk"};

    (void)state;
    if (!need_turbo())
        return;
    for (uint64_t i = 0; i < COUNT(names) * 3 * 100; i++) {
        const char *name = names[i / 3 % COUNT(names)];
        const int d = 2 << i % 3;
        size_t n;
        uint8_t *p = file(name, &n);
        struct image all, im;
        struct codec_part part = decode(&all, p, n, 0, (struct rect){0}, d);
        const struct rect c = random_rect(&r, i, part.full_w, part.full_h, 8);
        const struct rect has = {c.x / d, c.y / d,
                                 (c.x + c.w + d - 1) / d - c.x / d,
                                 (c.y + c.h + d - 1) / d - c.y / d};

        assert_int_equal(all.w, (part.full_w + d - 1) / d);
        part = decode(&im, p, n, 0, c, d);
        is_cut(&im, &all, has, name);
        assert_true(part.box.x == (double)c.x / d - has.x);
        assert_true(part.box.y == (double)c.y / d - has.y);
        assert_true(part.box.w == (double)c.w / d);
        assert_true(part.box.h == (double)c.h / d);
        image_release(&im);
        image_release(&all);
        free(p);
    }
}

/* An EXIF block; byte 28 is the orientation.  */
static const char app1[] = "\xff\xe1\0\x22"
                           "Exif\0\0II*\0\x8\0\0\0\1\0\x12\1\3\0\1\0\0\0"
                           "\1\0\0\0\0\0\0\0";

/* The part is chosen of the upright picture, and turned alike.  */
static void turned_part(const struct str *s, int o, struct rect c, int d)
{
    const uint8_t *p = (const uint8_t *)s->data;
    struct image im, want;
    struct codec_part all = decode(&im, p, s->len, 1, (struct rect){0}, d),
                      lying, part;
    struct box b = {c.x, c.y, c.w, c.h};
    struct err e = {0};

    image_release(&im);
    geometry_orient_box(&b, all.full_w, all.full_h, o, 1);
    lying = decode(&want, p, s->len, 0,
                   (struct rect){(int)b.x, (int)b.y, (int)b.w, (int)b.h}, d);
    part = decode(&im, p, s->len, 1, c, d);
    b = lying.box;
    geometry_orient_box(&b, want.w, want.h, o, 0);
    assert_int_equal(geometry_orient(&want, o, &e), 0);
    assert_int_equal(image_crc(&im), image_crc(&want));
    assert_int_equal(im.w, want.w);
    assert_true(part.box.x == b.x && part.box.y == b.y && part.box.w == b.w &&
                part.box.h == b.h);
    assert_int_equal(part.full_w, o < 5 ? 33 : 23);
    image_release(&im);
    image_release(&want);
}

static void test_turned(void **state)
{
    const struct rng r = rng_at(3, RNG_TEST, 0, 0);
    size_t n;
    uint8_t *p = file("jpeg baseline 4:2:0", &n);

    (void)state;
    for (uint64_t i = 0; i < 400; i++) {
        const int o = 1 + (int)(i % 8);
        const struct rect c =
            random_rect(&r, i, o < 5 ? 33 : 23, o < 5 ? 23 : 33, 8);
        struct str s = {0};

        str_addn(&s, (char *)p, 2);
        str_addn(&s, app1, 36);
        s.data[2 + 28] = (char)o;
        str_addn(&s, (char *)p + 2, n - 2);
        turned_part(&s, o, c, 1 << i / 8 % 3);
        str_release(&s);
    }
    free(p);
}

/* Behind the part damage is not looked for: a hole in the last rows.  Above
 * it, it is.  */
static void test_damage(void **state)
{
    size_t n;
    uint8_t *p = file("jpeg baseline 4:2:0", &n);
    const struct rect top = {3, 2, 20, 6}, bottom = {3, 20, 20, 3};
    struct image im, all;

    (void)state;
    if (need_turbo()) {
        struct want k = {{.choose = choose}, bottom, 1};
        const struct codec_opts o = {.part = &k.part};
        struct err e = {0};

        picture_decode(&all, p, n);
        memmove(p + n - 52, p + n - 2, 2);
        n -= 50;
        decode(&im, p, n, 0, top, 1);
        is_cut(&im, &all, top, "before a hole");
        image_release(&im);
        image_release(&all);
        assert_int_equal(codec_decode(&im, p, n, &o, &e), -1);
        assert_int_equal(e.code, ERR_FORMAT);
        assert_null(im.rgb);
    }
    free(p);
}

static void photo_parts(const char *path, const struct bytes *b)
{
    const struct rng r = rng_at(4, RNG_TEST, 0, 0);
    struct image all, im;

    picture_decode(&all, b->data, b->n);
    for (uint64_t i = 0; i < 12; i++) {
        const struct rect c = random_rect(&r, i, all.w, all.h, 1);

        decode(&im, b->data, b->n, 0, c, 1);
        is_cut(&im, &all, c, path);
        image_release(&im);
    }
    image_release(&all);
}

static void test_photos(void **state)
{
    static const char *const names[] = {"n01440764_tench", "n02128385_leopard",
                                        "n09399592_promontory"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct str path = {0};
        struct bytes b;
        struct err e = {0};

        str_printf(&path, "../shared/data/photos/%s.JPEG", names[i]);
        if (access(str_text(&path), R_OK)) {
            str_release(&path);
            print_message("# skipped: no ../shared/data/photos\n");
            return;
        }
        assert_int_equal(bytes_read(&b, str_text(&path), CODEC_MAX_BYTES, &e),
                         0);
        photo_parts(str_text(&path), &b);
        bytes_release(&b);
        str_release(&path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),  cmocka_unit_test(test_scaled),
        cmocka_unit_test(test_turned), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_photos),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
