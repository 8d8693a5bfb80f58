/* nearest.c -- tests of train/nearest.h.
 * SPDX-License-Identifier: MIT  */
#include "train/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/thread.h"
#include "tensor/tensor.h"

/* Means (0, 1), (4, 0) and none; the fifth sample is nearer to the other, the
 * last as near to both.  */
static void test_counts(void **state)
{
    float x[][2] = {{0, 0}, {0, 2}, {4, 0}, {4, 4}, {0, -4}, {8, 0}, {0, 1}};
    static const int64_t label[] = {0, 0, 2, 2, 2, 2, 0};
    const struct shape s = shape_make(2, (int64_t[]){7, 2});
    const struct tensor t = tensor_view(DTYPE_F32, &s, x);
    struct pool *pool = pool_new(2);

    (void)state;
    assert_int_equal(nearest_mean(&t, label, 3, NULL), 6);
    assert_int_equal(nearest_mean(&t, label, 3, pool), 6);
    pool_free(pool);
}

static void test_tie(void **state)
{
    float x[] = {1, -1, 1, -1};
    static const int64_t label[] = {0, 0, 1, 1};
    const struct shape s = shape_make(2, (int64_t[]){4, 1});
    const struct tensor t = tensor_view(DTYPE_F32, &s, x);

    (void)state;
    assert_int_equal(nearest_mean(&t, label, 2, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_tie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
