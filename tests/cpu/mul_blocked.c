/* mul_blocked.c -- tests of products of blocked values.
 * SPDX-License-Identifier: MIT  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

enum { B = KERNEL_BACKWARD };

/* Factors for each channel, place, row and column, in any order.  */
static const struct kernel_case cases[] = {
    {"mul", "", "2,20,5,7 2,20,1,1", NULL, 0, 0, 0},
    {"mul", "", "2,20,1,1 2,20,5,7", NULL, 0, 0, 0},
    {"mul", "", "2,20,5,9 2,1,5,9", NULL, 0, 0, 0},
    {"mul", "", "1,33,4,17 1,33,4,17", NULL, 0, 0, 0},
    {"mul", "", "2,20,6,9 2,20,6,1 2,20,1,9", NULL, 0, 2, 0},
    {"mul", "", "2,18,5,1 2,1,1,8", NULL, 0, 0, 0},
    {"mul", "", "2,20,5,7 2,20,1,1", NULL, B, 35, 0},
    {"mul", "", "1,48,3,1 1,48,1,1", NULL, B, 3, 1},
    {"mul", "", "3,7,4,19 3,7,1,1", NULL, B, 76, 2},
    {"mul", "", "2,20,1,1 2,20,5,7", NULL, B, 35, 0},
    {"mul", "", "2,20,5,9 2,1,5,9", NULL, B, 20, 0},
    {"mul", "", "1,33,4,17 1,33,4,17", NULL, B, 1, 0},
    {"mul", "", "2,20,6,9 2,20,6,1 2,20,1,9", NULL, B, 54, 0},
    {"mul", "", "2,18,5,1 2,1,1,8", NULL, B, 90, 0},
    {"mul", "", "1,17,3,9 1,1,1,1", NULL, B, 459, 0},
};

static void test_mul(void **state)
{
    (void)state;
    kernel_check_all(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mul)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
