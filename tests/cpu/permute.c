/* permute.c -- tests of the kernels of transpose and tokens.
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
    {"transpose", "perm=[0,2,1]", "2,17,70"},
    {"transpose", "perm=[0,2,1]", "1,70,9"},
    {"transpose", "perm=[0,2,1,3]", "2,3,5,7"},
    {"transpose", "perm=[3,1,0,2]", "2,3,9,11"},
    {"transpose", "perm=[2,0,1]", "3,4,130"},
    {"transpose", "perm=[1,0]", "1,5"},
    {"transpose", "perm=[1,0]", "1,1"},
    {"transpose", "perm=[0,1,3,2,4,5]", "2,3,4,3,2,5"},
    {"transpose", "perm=[0,2,1]", "2,17,70", NULL, B, 0, 0},
    {"transpose", "perm=[3,1,0,2]", "2,3,9,11", NULL, B, 0, 0},
    {"transpose", "perm=[1,2,0]", "3,4,5", NULL, B, 0, 0},
    {"transpose", "perm=[0,1]", "2,3000"},
    {"tokens", "", "2,19,5,7"},
    {"tokens", "", "1,3,16,9"},
    {"tokens", "", "2,1,3,3"},
    {"tokens", "", "2,19,5,7", NULL, B, 0, 0},
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
