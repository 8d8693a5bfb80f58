/* layernorm.c -- tests of the kernels that normalise rows.
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
    {"layernorm", "", "2,197,48", NULL, 0, 48, 0},
    {"layernorm", "eps=1e-6", "3,5,37", NULL, TRAIN, 37, 0},
    {"layernorm", "affine=no", "70,19", NULL, TRAIN, 19, 0},
    {"layernorm", "", "5,1", NULL, 0, 1, 0},
    {"layernorm", "", "7", NULL, 0, 7, 0},
    {"layernorm", "", "2,65,32", NULL, B, 130, 0},
    {"layernorm", "", "9,3,37", NULL, B, 37, 0},
    {"layernorm", "affine=no", "40,19", NULL, B, 19, 0},
    {"layernorm", "", "33,5", NULL, B, 33, 1 << 1 | 1 << 2},
    {"layernorm", "", "33,5", NULL, B, 33, 1},
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
