/* resize.c -- tests of lib/image/resize.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "../picture.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/rng.h"
#include "image/resize.h"
#include "ref_ops.h"

static void test_like_pillow(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ref_resize / sizeof *ref_resize; i++) {
        const struct ref_resize *r = &ref_resize[i];
        const struct box b = {r->box[0], r->box[1], r->box[2], r->box[3]};
        struct image im, to;
        struct err e = {0};

        picture_noise(&im, r->w, r->h);
        assert_int_equal(resize_box(&to, &im, &b, r->out_w, r->out_h,
                                    (enum resize_kernel)r->kernel, &e),
                         0);
        assert_int_equal(to.w, r->out_w);
        assert_int_equal(to.h, r->out_h);
        if (image_crc(&to) != r->crc)
            fail_msg("%s %dx%d -> %dx%d differs from Pillow",
                     resize_names[r->kernel], r->w, r->h, r->out_w, r->out_h);
        image_release(&im);
        image_release(&to);
    }
}

static uint32_t crc_of_random(const struct rng *r, uint64_t i)
{
    struct image im, to;
    struct err e = {0};
    uint32_t crc;

    picture_noise(&im, 1 + (int)rng_below(r, 5 * i, 60),
                  1 + (int)rng_below(r, 5 * i + 1, 60));
    assert_int_equal(resize(&to, &im, 1 + (int)rng_below(r, 5 * i + 2, 70),
                            1 + (int)rng_below(r, 5 * i + 3, 70),
                            1 + (enum resize_kernel)rng_below(r, 5 * i + 4, 3),
                            &e),
                     0);
    crc = image_crc(&to);
    image_release(&im);
    image_release(&to);
    return crc;
}

/* With and without AVX2, also where pictures are narrower than a register.  */
static void test_levels(void **state)
{
    const struct rng r = rng_at(1, RNG_TEST, 0, 0);
    const char *level = cpu_level_name(cpu_features());
    struct err e = {0};

    (void)state;
    for (uint64_t i = 0; i < 400; i++) {
        const uint32_t fast = crc_of_random(&r, i);

        assert_int_equal(cpu_limit("portable", &e), 0);
        assert_int_equal(crc_of_random(&r, i), fast);
        assert_int_equal(cpu_limit(level, &e), 0);
    }
}

/* A picture of one colour stays so, whatever the size.  */
static void test_constant(void **state)
{
    static const int size[][2] = {{1, 1},   {2, 300}, {300, 2},
                                  {37, 19}, {13, 99}, {64, 48}};

    (void)state;
    for (int k = 0; resize_names[k]; k++)
        for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
            struct image im, to;
            struct err e = {0};

            assert_int_equal(image_new(&im, 31, 17, &e), 0);
            memset(im.rgb, 201, 31 * 17 * 3);
            assert_int_equal(resize(&to, &im, size[i][0], size[i][1],
                                    (enum resize_kernel)k, &e),
                             0);
            for (int j = 0; j < to.w * to.h * 3; j++)
                assert_int_equal(to.rgb[j], 201);
            image_release(&im);
            image_release(&to);
        }
}

static void test_same_size(void **state)
{
    (void)state;
    for (int k = 0; resize_names[k]; k++) {
        struct image im, to;
        struct err e = {0};

        picture_noise(&im, 23, 11);
        assert_int_equal(resize(&to, &im, 23, 11, (enum resize_kernel)k, &e),
                         0);
        assert_int_equal(image_crc(&to), image_crc(&im));
        image_release(&im);
        image_release(&to);
    }
}

static void test_refused(void **state)
{
    static const struct box bad[] = {
        {-1, 0, 5, 5},  {0, -.01, 5, 5}, {0, 0, 8.1, 5},
        {0, 0, 5, 6.5}, {4, 4, 0, 1},    {4, 4, 1, -1},
        {7, 0, 2, 5},   {NAN, 0, 1, 1},  {0, 0, NAN, 1}};
    static const int size[][2] = {{0, 4}, {4, 0}, {-3, 4}, {65536, 1}};
    struct image im, to;

    (void)state;
    picture_noise(&im, 8, 6);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};

        assert_int_equal(
            resize_box(&to, &im, &bad[i], 4, 4, RESIZE_BILINEAR, &e), -1);
        assert_int_equal(e.code, ERR_SHAPE);
        assert_null(to.rgb);
    }
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        struct err e = {0};

        assert_int_equal(
            resize(&to, &im, size[i][0], size[i][1], RESIZE_BOX, &e), -1);
        assert_int_equal(e.code, ERR_SHAPE);
    }
    image_release(&im);
}

static void test_short_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ref_short / sizeof *ref_short; i++) {
        const struct ref_short *r = &ref_short[i];
        int w, h;

        resize_short_size(r->w, r->h, r->s, &w, &h);
        assert_int_equal(w, r->out_w);
        assert_int_equal(h, r->out_h);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(resize_names[RESIZE_NEAREST], "nearest");
    assert_string_equal(resize_names[RESIZE_BICUBIC], "bicubic");
    assert_string_equal(resize_names[RESIZE_BOX], "box");
    assert_null(resize_names[RESIZE_BOX + 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_pillow), cmocka_unit_test(test_levels),
        cmocka_unit_test(test_constant),    cmocka_unit_test(test_same_size),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_short_size),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
