/* mix.c -- tests of samples joined in pairs.
 * SPDX-License-Identifier: MIT  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

/* Pairs and edges outside, too.  */
static const struct kernel_case cases[] = {
    {"mix", "", "5,17 i64:5 5", NULL, 0, 0, 0},
    {"mix", "", "3,2,5,7 i64:3 3", NULL, 0, 0, 0},
    {"mix", "box=yes", "5,3,6,7 i64:5 5 i64:5,4", NULL, 0, 0, 0},
    {"mix", "box=yes", "4,1,3,3 i64:4 4 i64:4,4", NULL, 0, 0, 0},
};

static void test_mix(void **state)
{
    (void)state;
    kernel_check_all(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mix)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
