/* exif.c -- tests of lib/image/exif.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../fuzz.h"
#include "image/exif.h"

enum { N = 8 + 2 + 2 * 12 + 4 };

static void put(uint8_t *p, uint32_t v, int bytes, int big)
{
    for (int i = 0; i < bytes; i++)
        p[big ? bytes - 1 - i : i] = (uint8_t)(v >> 8 * i);
}

/* A directory of two entries, the second of which is the orientation; the
 * next directory is said to be this one again.  */
static void make(uint8_t p[N], int big, unsigned type, uint32_t count,
                 uint32_t value)
{
    memset(p, 0, N);
    memcpy(p, big ? "MM\0*" : "II*\0", 4);
    put(p + 4, 8, 4, big);
    put(p + 8, 2, 2, big);
    put(p + 10, 0x010f, 2, big);
    put(p + 12, 2, 2, big);
    put(p + 14, 0xffffffff, 4, big);
    put(p + 18, 0xfffffff0, 4, big);
    put(p + 22, 0x0112, 2, big);
    put(p + 24, type, 2, big);
    put(p + 26, count, 4, big);
    put(p + 30, value, type == 3 ? 2 : 4, big);
    put(p + 34, 8, 4, big);
}

/* F-044: both byte orders, every value, wrong types and counts.  */
static void test_values(void **state)
{
    uint8_t p[N];

    (void)state;
    for (int big = 0; big < 2; big++) {
        for (unsigned v = 0; v < 12; v++) {
            make(p, big, 3, 1, v);
            assert_int_equal(exif_orientation(p, N), v >= 1 && v <= 8 ? v : 1);
        }
        make(p, big, 4, 1, 6);
        assert_int_equal(exif_orientation(p, N), 6);
        make(p, big, 4, 1, 0x10006);
        assert_int_equal(exif_orientation(p, N), 1);
        make(p, big, 1, 1, 6);
        assert_int_equal(exif_orientation(p, N), 1);
        make(p, big, 3, 2, 6);
        assert_int_equal(exif_orientation(p, N), 1);
        make(p, big, 3, 0xffffffff, 6);
        assert_int_equal(exif_orientation(p, N), 1);
    }
}

/* Directories that lie elsewhere, are longer than the block, or absent.  */
static void test_places(void **state)
{
    static const uint32_t far[] = {N - 1,      N,          N + 1,
                                   0x7fffffff, 0xfffffffe, 0xffffffff};
    uint8_t p[N];

    (void)state;
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        make(p, 0, 3, 1, 6);
        put(p + 4, far[i], 4, 0);
        assert_int_equal(exif_orientation(p, N), 1);
    }
    make(p, 0, 3, 1, 6);
    put(p + 8, 65535, 2, 0);
    assert_int_equal(exif_orientation(p, N), 6);
    put(p + 22, 0x0113, 2, 0);
    assert_int_equal(exif_orientation(p, N), 1);
    make(p, 0, 3, 1, 6);
    p[2] = 43; /* BigTIFF */
    assert_int_equal(exif_orientation(p, N), 1);
}

static int not_turned(const uint8_t *p, size_t n)
{
    return exif_orientation(p, n) == 1 ? -1 : 0;
}

/* Whatever is cut off, nothing is read past the end; the tag is found once
 * its entry is whole.  */
static void test_cut(void **state)
{
    uint8_t p[N];

    (void)state;
    make(p, 1, 3, 1, 6);
    assert_int_equal(fuzz_cut(not_turned, p, N), N - 34);
}

static void test_fuzz(void **state)
{
    uint8_t p[2][N];
    const struct fuzz_seed seeds[] = {{p[0], N}, {p[1], N}};

    (void)state;
    make(p[0], 0, 3, 1, 6);
    make(p[1], 1, 4, 1, 8);
    fuzz_run(not_turned, seeds, 2, NULL, 10000, 44);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
