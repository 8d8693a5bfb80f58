/* norm.c -- tests of the normalisation kernels.
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
    {"batchnorm2d", "", "2,3,5,7", NULL, 0, 1, 0},
    {"batchnorm2d", "", "2,3,5,7", "add relu", 0, 1, 0},
    {"batchnorm2d", "affine=no", "2,19,4,16", "relu6", 0, 1, 0},
    {"batchnorm2d", "", "70,3,5,7", "relu", T, 35, 0},
    {"batchnorm2d", "", "3,18,16,16", "add relu", T, 256, 0},
    {"batchnorm2d", "affine=no", "5,2,1,1", NULL, T, 5, 0},
    {"batchnorm2d", "", "1,2,130,130", NULL, T, 16900, 0},
    {"batchnorm2d", "", "70,3,5,7", NULL, T | B, 2450, 0},
    {"batchnorm2d", "", "3,18,16,16", NULL, T | B, 768, 0},
    {"batchnorm2d", "", "3,18,16,16", NULL, T | B, 768, 1},
    {"batchnorm2d", "affine=no", "3,4,9,3", NULL, T | B, 81, 0},
    {"batchnorm2d", "", "3,4,9,3", NULL, T | B, 81, 6},
    {"batchnorm2d", "", "3,20,9,3", NULL, B, 81, 0},
    {"bnstats", "", "70,3,5,7 3", NULL, 0, 2450, 0},
    {"bnstats", "", "3,18,16,16 18", NULL, 0, 768, 0},
    {"bnapply", "", "3,18,5,7 18 18 18 18", "add relu", 0, 1, 0},
    {"bnapply", "affine=no", "2,40,4,4 40 40", "hardswish", 0, 1, 0},
    {"bnsums", "affine=no", "70,3,5,7 3 3 70,3,5,7", NULL, 0, 2450, 0},
    {"bnsums", "", "3,18,16,16 18 18 3,18,16,16 18 18", NULL, 0, 768, 0},
    {"bngrad", "", "3,18,9,3 18 18 18 18 18 3,18,9,3", NULL, 0, 4, 0},
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
