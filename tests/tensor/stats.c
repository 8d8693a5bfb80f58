/* stats.c -- tests of tensor/stats.h.
 * SPDX-License-Identifier: MIT  */
#include "tensor/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "tensor/tensor.h"

static void numbers(void **state)
{
    float x[] = {1, 2, NAN, 3, 4, INFINITY};
    int8_t y[] = {-128, 127};
    const struct shape six = {.rank = 1, .dim = {6}},
                       two = {.rank = 1, .dim = {2}};
    struct tensor t = tensor_view(DTYPE_F32, &six, x);
    struct stats s;

    (void)state;
    stats_of(&s, &t);
    assert_true(s.mean == 2.5 && s.min == 1 && s.max == 4);
    assert_true(s.std == sqrt(1.25));
    assert_int_equal(s.nonfinite, 2);
    t = tensor_view(DTYPE_I8, &two, y);
    stats_of(&s, &t);
    assert_true(s.mean == -.5 && s.std == 127.5 && s.nonfinite == 0);
}

static void nothing(void **state)
{
    float x[] = {NAN};
    const struct shape one = {.rank = 1, .dim = {1}},
                       none = {.rank = 1, .dim = {0}};
    struct tensor t = tensor_view(DTYPE_F32, &one, x);
    struct stats s;

    (void)state;
    stats_of(&s, &t);
    assert_true(s.mean == 0 && s.std == 0 && s.min == 0 && s.max == 0);
    assert_int_equal(s.nonfinite, 1);
    t = tensor_view(DTYPE_F32, &none, x);
    stats_of(&s, &t);
    assert_true(s.mean == 0 && s.max == 0 && s.nonfinite == 0);
}

static void many(void **state)
{
    enum { N = 1000 };
    static uint16_t x[N];
    const struct shape n = {.rank = 1, .dim = {N}};
    const struct tensor t = tensor_view(DTYPE_F16, &n, x);
    struct stats s;

    (void)state;
    for (int i = 0; i < N; i++)
        x[i] = f32_to_f16((float)i);
    stats_of(&s, &t);
    assert_true(s.mean == 499.5 && s.max == 999);
    assert_true(fabs(s.std - sqrt((N * (double)N - 1) / 12)) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(nothing),
        cmocka_unit_test(many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
