/* tensor.c -- tests of lib/tensor/tensor.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "tensor/tensor.h"

static void test_new(void **state)
{
    static const int64_t size[] = {0, 1, 17, 1 << 18, (1 << 18) + 1};

    (void)state;
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        const struct shape s = shape_make(1, &size[k]);
        struct err e = {0};
        struct tensor t;

        assert_int_equal(tensor_new(&t, DTYPE_F32, &s, &e), 0);
        assert_non_null(t.data);
        assert_int_equal((uintptr_t)t.data % 64, 0);
        assert_int_equal(tensor_bytes(&t), 4 * size[k]);
        for (int64_t i = 0; i < size[k]; i++)
            assert_true(((float *)t.data)[i] == 0);
        memset(t.data, 1, tensor_bytes(&t));
        tensor_unref(&t);
        assert_null(t.data);
        tensor_unref(&t);
    }
}

static void test_too_large(void **state)
{
    const struct shape big = shape_make(2, (int64_t[]){1 << 30, 1 << 30});
    const struct shape over = shape_make(2, (int64_t[]){INT64_MAX, 4});
    struct err e = {0};
    struct tensor t;

    (void)state;
    assert_int_equal(tensor_new(&t, DTYPE_F32, &big, &e), -1);
    assert_int_equal(e.code, ERR_NOMEM);
    assert_non_null(strstr(e.msg, "4611686018427387904 bytes"));
    e = (struct err){0};
    assert_int_equal(tensor_new(&t, DTYPE_F32, &over, &e), -1);
    assert_int_equal(e.code, ERR_SHAPE);
    tensor_unref(&t);
}

static void count_up(void *ctx)
{
    ++*(int *)ctx;
}

static void test_shares(void **state)
{
    const struct shape s = shape_make(2, (int64_t[]){3, 2});
    float data[6] = {1, 2, 3, 4, 5, 6};
    int released = 0;
    struct tensor t = tensor_view(DTYPE_F32, &s, data), u, row;

    (void)state;
    t.own = storage_wrap(count_up, &released);
    u = tensor_ref(&t);
    row = tensor_rows(&u, 1, 2);
    assert_null(row.own);
    assert_true(((float *)row.data)[0] == 3);
    assert_string_equal(ST(&row.shape), "[2,2]");
    tensor_unref(&t);
    assert_int_equal(released, 0);
    tensor_unref(&u);
    assert_int_equal(released, 1);
    storage_ref(NULL);
    storage_unref(NULL);
}

static void test_finite(void **state)
{
    static const enum dtype type[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16,
                                      DTYPE_F64};
    static const double bad[] = {INFINITY, -INFINITY, NAN};
    const struct shape s = shape_make(1, (int64_t[]){5});
    double v[5] = {0, -1, 60000, 1e-30, 5};

    (void)state;
    for (size_t k = 0; k < 4; k++)
        for (size_t b = 0; b < 3; b++) {
            struct tensor d = tensor_view(DTYPE_F64, &s, v), t;
            struct err e = {0};

            v[4] = 5;
            assert_int_equal(tensor_convert(&t, &d, type[k], &e), 0);
            assert_true(tensor_finite(&t));
            tensor_unref(&t);
            v[4] = bad[b];
            assert_int_equal(tensor_convert(&t, &d, type[k], &e), 0);
            assert_false(tensor_finite(&t));
            tensor_unref(&t);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new), cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_shares), cmocka_unit_test(test_finite)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
