/* top.c -- tests of tensor/top.h.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tensor/top.h"

static void test_best(void **state)
{
    const float s[] = {1, 3, NAN, 3, 2};
    int64_t best[5];

    (void)state;
    top_find(s, 5, 5, best);
    assert_int_equal(best[0], 1); /* ties go to the lower class */
    assert_int_equal(best[1], 3);
    assert_int_equal(best[2], 4);
    assert_int_equal(best[3], 0);
    assert_int_equal(best[4], 2); /* NaN last */
    top_find(s, 5, 1, best);
    assert_int_equal(best[0], 1);
}

static void test_softmax(void **state)
{
    const float x[] = {1000, 1000, -INFINITY}, bad[] = {0, INFINITY};
    float y[3];

    (void)state;
    top_softmax(x, 3, y);
    assert_true(y[0] == 0.5f && y[1] == 0.5f && y[2] == 0);
    assert_true(fabs(top_log_sum(x, 3) - 1000 - log(2)) < 1e-12);
    top_softmax(bad, 2, y);
    assert_true(isnan(y[0]) && isnan(y[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_best),
                                       cmocka_unit_test(test_softmax)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
