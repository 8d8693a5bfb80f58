/* eltwise.c -- tests of the kernels that work element by element.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

static const struct kernel_case cases[] = {
    {"relu", "", "2,3,5,7", NULL, 0, 0, 0},
    {"relu6", "", "40000", NULL, 0, 0, 0},
    {"relu", "", "2,3,5,7", NULL, KERNEL_BACKWARD, 0, 0},
    {"relu6", "", "33000", NULL, KERNEL_BACKWARD, 0, 0},
    {"add", "", "3,5,7 3,5,7", NULL, 0, 0, 0},
    {"add", "", "16385 16385", "relu", 0, 0, 0},
    {"add", "", "2,9 2,9 2,9", "relu6", 0, 2, 0},
    {"add", "", "3,5,7 3,5,7", NULL, KERNEL_BACKWARD, 0, 0},
    {"add", "", "3,5,7 3,5,7", NULL, KERNEL_BACKWARD, 0, 2},
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
