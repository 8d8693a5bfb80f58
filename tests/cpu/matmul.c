/* matmul.c -- tests of the products of stacks of matrices.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

enum { B = KERNEL_BACKWARD };

static const struct kernel_case cases[] = {
    {"matmul", "", "2,3,17,33 2,3,33,50", NULL, 0, 33, 0},
    {"matmul", "", "1,1 1,1", NULL, 0, 1, 0},
    {"matmul", "", "3,5,7 7,9", NULL, 0, 7, 0},
    {"matmul", "", "40,70 2,70,16", NULL, 0, 70, 0},
    {"matmul", "", "2,1,29,5 1,3,5,31", NULL, 0, 5, 0},
    {"matmul", "", "2,3,17,33 2,3,33,50", NULL, B, 50, 0},
    {"matmul", "", "29,5 5,1", NULL, B, 29, 0},
    {"matmul", "", "2,3,15 2,15,40", NULL, B, 40, 1},
    {"matmul", "", "2,3,15 2,15,40", NULL, B, 3, 2},
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
