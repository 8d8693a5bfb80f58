/* image.c -- tests of lib/image/image.c and crc.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../picture.h"
#include "base/crc.h"
#include "base/err.h"
#include "image/image.h"

static void test_sides(void **state)
{
    static const int bad[][2] = {
        {0, 1}, {1, 0}, {-1, 5}, {65536, 1}, {1, 65536}};
    struct image im;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};

        assert_int_equal(image_new(&im, bad[i][0], bad[i][1], &e), -1);
        assert_int_equal(e.code, ERR_SHAPE);
        assert_null(im.rgb);
    }
    {
        struct err e = {0};

        assert_int_equal(image_new(&im, 65535, 1, &e), 0);
        im.rgb[65534 * 3 + 2] = 1;
        image_release(&im);
        assert_int_equal(im.w, 0);
        image_release(&im);
    }
}

static void test_copy(void **state)
{
    struct image a, b;
    struct err e = {0};

    (void)state;
    picture_noise(&a, 7, 5);
    assert_int_equal(image_copy(&b, &a, &e), 0);
    assert_int_equal(b.w, 7);
    assert_int_equal(b.h, 5);
    assert_memory_equal(a.rgb, b.rgb, 7 * 5 * 3);
    assert_int_equal(image_crc(&a), image_crc(&b));
    b.rgb[104] ^= 1;
    assert_int_not_equal(image_crc(&a), image_crc(&b));
    image_release(&a);
    image_release(&b);
}

/* The check value of CRC-32, and the eight-byte steps against single ones.  */
static void test_crc(void **state)
{
    uint8_t p[100];
    struct crc c;

    (void)state;
    crc_init(&c);
    assert_int_equal(crc_add(&c, 0, (const uint8_t *)"123456789", 9),
                     0xcbf43926);
    assert_int_equal(crc_add(&c, 0, p, 0), 0);
    for (size_t i = 0; i < sizeof p; i++)
        p[i] = (uint8_t)(i * 37);
    for (size_t n = 0; n <= sizeof p; n++) {
        uint32_t one = 0;

        for (size_t i = 0; i < n; i++)
            one = crc_add(&c, one, p + i, 1);
        assert_int_equal(crc_add(&c, 0, p, n), one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_crc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
