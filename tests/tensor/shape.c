/* shape.c -- tests of lib/tensor/shape.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "tensor/shape.h"

static void test_text(void **state)
{
    struct shape s = shape_make(3, (int64_t[]){64, 49, 96});

    (void)state;
    assert_string_equal(ST(&s), "[64,49,96]");
    assert_int_equal(shape_count(&s), 64 * 49 * 96);
    s.batch = 1;
    assert_string_equal(ST(&s), "[64*N,49,96]");
    s.dim[0] = 1;
    assert_string_equal(ST(&s), "[N,49,96]");
    assert_int_equal(shape_count(&s), 49 * 96);
    s = shape_bind(s, 8);
    assert_string_equal(ST(&s), "[8,49,96]");
    s = shape_make(0, NULL);
    assert_string_equal(ST(&s), "[]");
    assert_int_equal(shape_count(&s), 1);
    s.rank = SHAPE_MAX;
    s.batch = 255;
    for (int i = 0; i < SHAPE_MAX; i++)
        s.dim[i] = INT64_MIN;
    assert_true(strlen(ST(&s)) < SHAPE_TEXT);
}

static void test_equal(void **state)
{
    const struct shape a = shape_make(2, (int64_t[]){2, 3});
    struct shape b = a;

    (void)state;
    b.dim[5] = 9; /* beyond the rank: does not count */
    assert_true(shape_equal(&a, &b));
    b.batch = 1;
    assert_false(shape_equal(&a, &b));
    b = shape_make(2, (int64_t[]){2, 4});
    assert_false(shape_equal(&a, &b));
}

static void test_check(void **state)
{
    static const struct {
        int rank;
        int64_t dim[4], bytes, count; /* -1: refused */
    } row[] = {
        {2, {3, 4}, 4, 12},
        {0, {0}, 4, 1},
        {2, {0, 4}, 4, 0},
        {1, {-1}, 4, -1},
        {2, {INT64_MAX, 2}, 1, -1},
        {1, {INT64_MAX / 4 + 1}, 4, -1},
        {1, {INT64_MAX / 4}, 4, INT64_MAX / 4},
        {3, {INT64_MAX, 2, 0}, 1, -1},
        {3, {0, INT64_MAX, 2}, 1, -1},
        {9, {1}, 1, -1},
        {-1, {1}, 1, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct shape s = {.rank = row[i].rank};
        struct err e = {0};
        int64_t n = -1;

        memcpy(s.dim, row[i].dim, sizeof row[i].dim);
        assert_int_equal(shape_check(&s, row[i].bytes, &n, &e),
                         row[i].count < 0 ? -1 : 0);
        assert_int_equal(n, row[i].count);
        assert_int_equal(e.code, row[i].count < 0 ? ERR_SHAPE : ERR_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text),
                                       cmocka_unit_test(test_equal),
                                       cmocka_unit_test(test_check)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
