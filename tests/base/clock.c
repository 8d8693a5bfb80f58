/* clock.c -- tests of lib/base/clock.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"

static void test_clock(void **state)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    const double from = clock_now();
    double last = from;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        const double t = clock_now();

        assert_true(t >= last);
        last = t;
    }
    nanosleep(&pause, NULL);
    assert_true(clock_now() - from >= 0.0199);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_clock)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
