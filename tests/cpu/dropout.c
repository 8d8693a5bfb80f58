/* dropout.c -- tests of dropout on several threads.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

enum { T = KERNEL_TRAIN, B = KERNEL_BACKWARD };

static const struct kernel_case cases[] = {
    {"dropout", "rate=0.3", "3,7,11,13", NULL, T, 0, 0},
    {"dropout", "rate=0.5", "2,5001", NULL, T | B, 0, 0},
    {"dropout", "rate=0", "9", NULL, T, 0, 0},
    {"dropout", "rate=1", "9", NULL, T | B, 0, 0},
};

static void test_cases(void **state)
{
    (void)state;
    kernel_check_all(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
