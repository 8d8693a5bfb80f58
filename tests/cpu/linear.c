/* linear.c -- tests of the matrix products behind linear layers.
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
    {"linear", "out=10", "1,64", NULL, 0, 64, 0},
    {"linear", "out=10 bias=no", "33,65", NULL, 0, 65, 0},
    {"linear", "out=300", "2,70,17", NULL, 0, 17, 0},
    {"linear", "out=129", "5,1100", NULL, 0, 1100, 0},
    {"linear", "out=40", "2,60,33", "add relu", 0, 33, 0},
    {"linear", "out=23", "3,18", "silu", 0, 33, 0},
    {"linear", "out=40", "2,60,33", "gelu", 0, 33, 0},
    {"linear", "out=48 bias=no", "197,96", "add", 0, 96, 0},
    {"linear", "out=33", "700,50", "add gelu", 0, 50, 0},
    {"linear", "out=17", "2100,1100", "relu", 0, 1100, 0},
    {"linear", "out=10", "128,64", NULL, B, 128, 0},
    {"linear", "out=70 bias=no", "3,5,33", NULL, B, 70, 0},
    {"linear", "out=7", "9,300", NULL, B, 16, 2},
    {"linear", "out=90", "197,50", NULL, B, 197, 0},
    {"linear", "out=33 bias=no", "5,70", NULL, B, 33, 1},
    {"linear", "out=29", "1,33", NULL, B, 29, 0},
    {"linear", "out=3", "4200,1100", NULL, B, 4200, 2},
};

/* Patches that become tokens.  */
static const struct kernel_case patches[] = {
    {"conv2d", "out=20 kernel=16 stride=16 bias=yes", "2,3,32,50", "tokens", 0,
     768, 0},
    {"conv2d", "out=33 kernel=[2,32] stride=[2,32]", "1,2,31,64", "tokens", 0,
     128, 0},
};

static void test_patches(void **state)
{
    (void)state;
    kernel_check_all(patches, COUNT(patches));
}

static void test_cases(void **state)
{
    (void)state;
    kernel_check_all(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases),
                                       cmocka_unit_test(test_patches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
