/* pack.c -- tests of lib/image/pack.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../picture.h"
#include "base/cpuinfo.h"
#include "base/crc.h"
#include "base/err.h"
#include "image/geometry.h"
#include "image/image.h"
#include "image/pack.h"
#include "ref_ops.h"

static const float mean[3] = {.485f, .456f, .406f},
                   std[3] = {.229f, .224f, .225f};

static void test_like_torchvision(void **state)
{
    struct image im;
    struct crc c;
    float y[3 * 8 * 4];

    (void)state;
    crc_init(&c);
    picture_noise(&im, 8, 4);
    pack_chw(y, &im, mean, std, 0, 0);
    assert_int_equal(crc_add(&c, 0, (const uint8_t *)y, sizeof y),
                     REF_PACK_CRC);
    image_release(&im);
}

static void test_bgr(void **state)
{
    static const float none[3] = {0, 0, 0}, one[3] = {1, 1, 1};
    struct image im;
    float y[3 * 5 * 3], z[3 * 5 * 3];

    (void)state;
    picture_noise(&im, 5, 3);
    pack_chw(y, &im, none, one, 0, 0);
    pack_chw(z, &im, none, one, 1, 0);
    assert_memory_equal(y, z + 30, 15 * sizeof *y);
    assert_memory_equal(y + 15, z + 15, 15 * sizeof *y);
    assert_memory_equal(y + 30, z, 15 * sizeof *y);
    for (int i = 0; i < 15; i++)
        assert_true(y[i] == (float)im.rgb[3 * i] / 255.0f);
    image_release(&im);
}

/* A mirrored picture is what flip and pack make of it, and the levels agree,
 * also where rows are no multiple of a register.  */
static void test_levels(void **state)
{
    const char *level = cpu_level_name(cpu_features());
    struct err e = {0};

    (void)state;
    for (int w = 1; w < 40; w++)
        for (int bgr = 0; bgr < 2; bgr++) {
            const size_t n = 3 * (size_t)w * 3;
            struct image im;
            float y[3 * 40 * 3], z[3 * 40 * 3];

            picture_noise(&im, w, 3);
            pack_chw(y, &im, mean, std, bgr, 1);
            assert_int_equal(cpu_limit("portable", &e), 0);
            pack_chw(z, &im, mean, std, bgr, 1);
            assert_memory_equal(y, z, n * sizeof *y);
            geometry_flip_x(&im);
            pack_chw(z, &im, mean, std, bgr, 0);
            assert_memory_equal(y, z, n * sizeof *y);
            assert_int_equal(cpu_limit(level, &e), 0);
            pack_chw(z, &im, mean, std, bgr, 0);
            assert_memory_equal(y, z, n * sizeof *y);
            image_release(&im);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_torchvision),
        cmocka_unit_test(test_bgr),
        cmocka_unit_test(test_levels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
