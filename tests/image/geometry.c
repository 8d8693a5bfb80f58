/* geometry.c -- tests of lib/image/geometry.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "../picture.h"
#include "base/err.h"
#include "image/geometry.h"
#include "ref_ops.h"

static const uint8_t *at(const struct image *im, int x, int y)
{
    return im->rgb + 3 * (y * im->w + x);
}

/* Every window around and across a small picture, pixel by pixel.  */
static void test_crop(void **state)
{
    static const uint8_t fill[3] = {9, 8, 7};
    struct image im, to;
    struct err e = {0};

    (void)state;
    picture_noise(&im, 4, 3);
    for (int x = -6; x < 7; x++)
        for (int y = -5; y < 6; y++) {
            assert_int_equal(geometry_crop(&to, &im, x, y, 5, 3, fill, &e), 0);
            for (int j = 0; j < 3; j++)
                for (int i = 0; i < 5; i++) {
                    const int in =
                        x + i >= 0 && x + i < 4 && y + j >= 0 && y + j < 3;

                    assert_memory_equal(at(&to, i, j),
                                        in ? at(&im, x + i, y + j) : fill, 3);
                }
            image_release(&to);
        }
    assert_int_equal(
        geometry_crop(&to, &im, INT32_MAX, INT32_MIN, 2, 2, fill, &e), 0);
    assert_memory_equal(to.rgb, fill, 3);
    image_release(&to);
    assert_int_equal(geometry_crop(&to, &im, 0, 0, 0, 2, fill, &e), -1);
    assert_int_equal(e.code, ERR_SHAPE);
    image_release(&im);
}

static void test_center_crop(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ref_center / sizeof *ref_center; i++) {
        const struct ref_center *r = &ref_center[i];
        struct image im, to;
        struct err e = {0};

        picture_noise(&im, r->w, r->h);
        assert_int_equal(geometry_center_crop(&to, &im, r->out_w, r->out_h, &e),
                         0);
        assert_int_equal(image_crc(&to), r->crc);
        image_release(&im);
        image_release(&to);
    }
}

static void test_pad(void **state)
{
    static const uint8_t fill[3] = {1, 2, 3};
    struct image im, to;
    struct err e = {0};

    (void)state;
    picture_noise(&im, 6, 5);
    for (size_t i = 0; i < sizeof ref_pad / sizeof *ref_pad; i++) {
        const struct ref_pad *r = &ref_pad[i];

        assert_int_equal(geometry_pad(&to, &im, r->left, r->top, r->right,
                                      r->bottom, (enum pad_mode)r->mode, fill,
                                      &e),
                         0);
        assert_int_equal(image_crc(&to), r->crc);
        image_release(&to);
    }
    assert_int_equal(geometry_pad(&to, &im, -1, 0, 0, 0, PAD_EDGE, fill, &e),
                     -1);
    assert_int_equal(e.code, ERR_SHAPE);
    e = (struct err){0};
    assert_int_equal(geometry_pad(&to, &im, INT32_MAX, 0, INT32_MAX, 0,
                                  PAD_CONSTANT, fill, &e),
                     -1);
    assert_int_equal(e.code, ERR_SHAPE);
    image_release(&im);
}

static void test_flip(void **state)
{
    (void)state;
    for (int w = 1; w < 5; w++)
        for (int h = 1; h < 5; h++) {
            struct image im, x, y;
            struct err e = {0};

            picture_noise(&im, w, h);
            assert_int_equal(image_copy(&x, &im, &e), 0);
            assert_int_equal(image_copy(&y, &im, &e), 0);
            geometry_flip_x(&x);
            geometry_flip_y(&y);
            for (int j = 0; j < h; j++)
                for (int i = 0; i < w; i++) {
                    assert_memory_equal(at(&x, i, j), at(&im, w - 1 - i, j), 3);
                    assert_memory_equal(at(&y, i, j), at(&im, i, h - 1 - j), 3);
                }
            image_release(&im);
            image_release(&x);
            image_release(&y);
        }
}

/* The EXIF table: where row 0 and column 0 of the file are seen.  */
static void test_orient(void **state)
{
    /* first pixel of the file goes to this corner; are the axes swapped? */
    static const struct {
        int right, bottom, swapped;
    } want[9] = {{0, 0, 0}, {0, 0, 0}, {1, 0, 0}, {1, 1, 0}, {0, 1, 0},
                 {0, 0, 1}, {1, 0, 1}, {1, 1, 1}, {0, 1, 1}};

    (void)state;
    for (int o = 1; o <= 8; o++) {
        struct image im, was;
        struct err e = {0};

        picture_noise(&im, 5, 3);
        assert_int_equal(image_copy(&was, &im, &e), 0);
        assert_int_equal(geometry_orient(&im, o, &e), 0);
        assert_int_equal(im.w, want[o].swapped ? 3 : 5);
        assert_int_equal(im.h, want[o].swapped ? 5 : 3);
        for (int j = 0; j < 3; j++)
            for (int i = 0; i < 5; i++) {
                int x = want[o].swapped ? j : i, y = want[o].swapped ? i : j;

                x = want[o].right ? im.w - 1 - x : x;
                y = want[o].bottom ? im.h - 1 - y : y;
                assert_memory_equal(at(&im, x, y), at(&was, i, j), 3);
            }
        image_release(&im);
        image_release(&was);
    }
}

/* To cut and to turn, or to turn and to cut.  */
static void turned_box(const struct image *im, int x, int y, int o)
{
    static const uint8_t none[3];
    struct image cut, all, part;
    struct box b = {x, y, 5 - x, 2}, back;
    struct err e = {0};

    assert_int_equal(image_copy(&all, im, &e), 0);
    assert_int_equal(geometry_orient(&all, o, &e), 0);
    assert_int_equal(geometry_crop(&cut, im, x, y, 5 - x, 2, none, &e), 0);
    assert_int_equal(geometry_orient(&cut, o, &e), 0);
    geometry_orient_box(&b, im->w, im->h, o, 0);
    assert_int_equal(geometry_crop(&part, &all, (int)b.x, (int)b.y, (int)b.w,
                                   (int)b.h, none, &e),
                     0);
    assert_int_equal(part.w, cut.w);
    assert_int_equal(image_crc(&part), image_crc(&cut));
    back = b;
    geometry_orient_box(&back, all.w, all.h, o, 1);
    assert_true(back.x == x && back.y == y && back.w == 5 - x && back.h == 2);
    image_release(&all);
    image_release(&cut);
    image_release(&part);
}

static void test_orient_box(void **state)
{
    struct image im;

    (void)state;
    picture_noise(&im, 7, 4);
    for (int o = 1; o <= 8; o++)
        for (int x = 0; x < 5; x++)
            for (int y = 0; y < 3; y++)
                turned_box(&im, x, y, o);
    image_release(&im);
}

static void test_affine(void **state)
{
    static const uint8_t fill[3] = {9, 8, 7};
    const double bad[6] = {1, 0, INFINITY, 0, 1, 0};
    struct image im, to;
    struct err e = {0};

    (void)state;
    picture_noise(&im, 24, 16);
    for (size_t i = 0; i < sizeof ref_affine / sizeof *ref_affine; i++) {
        const struct ref_affine *r = &ref_affine[i];

        assert_int_equal(
            geometry_affine(&to, &im, 20, 18, r->m, r->bilinear, fill, &e), 0);
        if (image_crc(&to) != r->crc)
            fail_msg("affine case %zu differs from Pillow", i);
        image_release(&to);
    }
    assert_int_equal(geometry_affine(&to, &im, 4, 4, bad, 0, fill, &e), -1);
    assert_int_equal(e.code, ERR_NONFINITE);
    image_release(&im);
}

/* Numbers far outside of any picture.  */
static void test_affine_far(void **state)
{
    static const uint8_t fill[3] = {9, 8, 7};
    static const double far[] = {1e9, -1e9, 1e300, -1e300, 3e4, -3e4};
    struct image im, to;
    struct err e = {0};

    (void)state;
    picture_noise(&im, 24, 16);
    for (size_t i = 0; i < sizeof far / sizeof *far; i++)
        for (int k = 0; k < 12; k++) {
            double m[6] = {1, .5, 0, .5, 1, 0};

            m[k % 6] = far[i];
            assert_int_equal(
                geometry_affine(&to, &im, 7, 5, m, k / 6, fill, &e), 0);
            image_release(&to);
        }
    image_release(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crop),   cmocka_unit_test(test_center_crop),
        cmocka_unit_test(test_pad),    cmocka_unit_test(test_flip),
        cmocka_unit_test(test_orient), cmocka_unit_test(test_orient_box),
        cmocka_unit_test(test_affine), cmocka_unit_test(test_affine_far),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
