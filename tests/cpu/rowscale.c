/* rowscale.c -- tests of the kernels of mul and scale along the last axis.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

enum { B = KERNEL_BACKWARD, ROW = 2 };

static const struct kernel_case cases[] = {
    {"mul", "", "2,5,17 17"},
    {"mul", "", "3,70 1,70"},
    {"mul", "", "2,1300,9 9"},
    {"scale", "axis=2", "2,5,33"},
    {"mul", "", "2,5,17 17", NULL, B, 10, 0},
    {"mul", "", "2,140,9 9", NULL, B, 280, ROW},
    {"scale", "axis=1", "70,33", NULL, B, 70, 0},
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
