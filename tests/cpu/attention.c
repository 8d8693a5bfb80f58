/* attention.c -- tests of the kernels of attention.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

enum { B = KERNEL_BACKWARD, TRAIN = KERNEL_TRAIN };

static const struct kernel_case cases[] = {
    {"attention", "heads=1", "1,1,3", NULL, 0, 1, 0},
    {"attention", "heads=2", "2,17,96", NULL, 0, 33, 0},
    {"attention", "heads=3", "1,50,144", NULL, TRAIN, 66, 0},
    {"attention", "heads=1", "3,33,39", NULL, TRAIN, 46, 0},
    {"attention", "heads=2", "1,5,30", NULL, 0, 10, 0},
    {"attention", "heads=5", "2,29,105", NULL, KERNEL_SPECIAL, 36, 0},
    {"attention", "heads=1", "1,1,3", NULL, B, 2, 0},
    {"attention", "heads=2", "2,17,96", NULL, B, 66, 0},
    {"attention", "heads=3", "1,34,63", NULL, B, 66, 0},
    {"attention", "heads=1", "2,30,60", NULL, B, 66, 0},
    {"attention", "heads=2 bias=yes", "4,17,96 1,2,17,17", NULL, 0, 33, 0},
    {"attention", "heads=1 bias=yes", "6,49,30 3,1,49,49", NULL, TRAIN, 60, 0},
    {"attention", "heads=2 bias=yes", "4,17,96 1,2,17,17", NULL, B, 66, 0},
    {"attention", "heads=1 bias=yes", "6,49,30 3,1,49,49", NULL, B, 99, 0},
    {"attention", "heads=1 bias=yes", "2,5,9 2,1,5,5", NULL, B, 66, 1},
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
