/* compare.c -- tests of lib/tensor/compare.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/err.h"
#include "tensor/compare.h"
#include "tensor/tensor.h"

static struct compare compare(const float *a, const float *b, int64_t n)
{
    const struct shape s = shape_make(1, &n);
    const struct tensor x = tensor_view(DTYPE_F32, &s, (void *)(uintptr_t)a);
    const struct tensor y = tensor_view(DTYPE_F32, &s, (void *)(uintptr_t)b);
    struct err e = {0};
    struct compare c;

    assert_int_equal(compare_tensors(&c, &x, &y, &e), 0);
    return c;
}

static void test_numbers(void **state)
{
    static const float a[] = {1, 2, 3, -4}, b[] = {1, 2.5f, 3, -4};
    const struct compare c = compare(a, b, 4);

    (void)state;
    assert_int_equal(c.n, 4);
    assert_true(c.max_abs == 0.5 && c.at == 1 && c.scale == 4);
    assert_true(c.max_rel == 0.125);
    assert_true(fabs(c.nmse - 0.25 / 32.25) < 1e-15);
    assert_true(c.max_ulp == 0x1p21); /* half of the fraction of 2 */
    assert_int_equal(c.nonfinite, 0);
}

static void test_ulp(void **state)
{
    const float a[] = {nextafterf(1, 2), 0x1p-149f, -0.0f};
    static const float b[] = {1, -0x1p-149f, 0};

    (void)state;
    assert_true(compare(a, b, 1).max_ulp == 1);
    assert_true(compare(a + 1, b + 1, 1).max_ulp == 2);
    assert_true(compare(a + 2, b + 2, 1).max_ulp == 0);
}

static void test_nonfinite(void **state)
{
    static const float a[] = {NAN, INFINITY, -INFINITY, 1, NAN, INFINITY, 2};
    static const float b[] = {NAN, INFINITY, -INFINITY, 1, 1, -INFINITY, NAN};
    struct compare c = compare(a, b, 4);

    (void)state;
    assert_true(c.nonfinite == 0 && c.max_abs == 0 && c.nmse == 0);
    c = compare(a, b, 7);
    assert_int_equal(c.nonfinite, 3);
    assert_int_equal(c.at, 4);
    assert_true(isinf(c.max_abs) && isinf(c.nmse) && isinf(c.max_rel));
}

static void test_zero(void **state)
{
    static const float z[] = {0, 0}, a[] = {0, 1e-30f};
    struct compare c = compare(z, z, 2);

    (void)state;
    assert_true(c.nmse == 0 && c.max_rel == 0);
    c = compare(a, z, 2);
    assert_true(isinf(c.nmse) && isinf(c.max_rel));
    c = compare(a, z, 0);
    assert_true(c.n == 0 && c.nmse == 0);
}

static void test_types_and_shapes(void **state)
{
    const struct shape s = shape_make(1, (int64_t[]){2});
    const struct shape t = shape_make(2, (int64_t[]){2, 1});
    uint8_t u[] = {1, 200};
    double d[] = {1, 200.5};
    const struct tensor x = tensor_view(DTYPE_U8, &s, u);
    const struct tensor y = tensor_view(DTYPE_F64, &s, d);
    const struct tensor z = tensor_view(DTYPE_U8, &t, u);
    struct err e = {0};
    struct compare c;

    (void)state;
    assert_int_equal(compare_tensors(&c, &x, &y, &e), 0);
    assert_true(c.max_abs == 0.5);
    assert_int_equal(compare_tensors(&c, &x, &z, &e), -1);
    assert_int_equal(e.code, ERR_SHAPE);
    assert_string_equal(e.msg, "shapes differ: [2] and [2,1]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_ulp),
        cmocka_unit_test(test_nonfinite), cmocka_unit_test(test_zero),
        cmocka_unit_test(test_types_and_shapes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
