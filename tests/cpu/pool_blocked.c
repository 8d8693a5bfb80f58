/* pool_blocked.c -- tests of pooling on blocked values.
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
    {"maxpool2d", "kernel=3 stride=2 pad=1", "2,20,17,15", NULL, 0, 0, 0},
    {"maxpool2d", "kernel=2", "1,16,9,8", NULL, KERNEL_SPECIAL, 0, 0},
    {"maxpool2d", "kernel=3 stride=2", "1,16,19,21", NULL, KERNEL_SPECIAL, 0,
     0},
    {"maxpool2d", "kernel=3 stride=2 ceil_mode=yes", "1,33,8,8", NULL, 0, 0, 0},
    {"avgpool2d", "kernel=3 stride=2 pad=1", "2,20,17,15", NULL, 0, 9, 0},
    {"avgpool2d", "kernel=3 stride=2 pad=1 count_include_pad=no", "2,20,17,15",
     NULL, 0, 9, 0},
    {"avgpool2d", "kernel=3 stride=2 pad=1 ceil_mode=yes", "2,5,16,14", NULL, 0,
     9, 0},
    {"avgpool2d", "kernel=2 ceil_mode=yes count_include_pad=no", "2,5,7,9",
     NULL, 0, 9, 0},
    {"globalavgpool", "", "2,20,7,7", NULL, 0, 49, 0},
    {"globalavgpool", "", "1,48,1,3", NULL, 0, 49, 0},
    {"maxpool2d", "kernel=3 stride=2 pad=1", "2,20,17,15", NULL, T, 0, 0},
    {"maxpool2d", "kernel=3 stride=2 pad=1", "2,20,17,15", NULL, T | B, 9, 0},
    {"maxpool2d", "kernel=2", "1,16,9,8", NULL, T | KERNEL_SPECIAL, 0, 0},
    {"globalavgpool", "", "2,20,7,5", NULL, B, 1, 0},
    {"avgpool2d", "kernel=3 stride=2 pad=1", "2,20,17,15", NULL, B, 9, 0},
    {"avgpool2d", "kernel=3 stride=1 pad=1 count_include_pad=no", "2,5,9,7",
     NULL, B, 9, 0},
    {"avgpool2d", "kernel=[2,5] stride=[3,2] ceil_mode=yes", "1,33,14,13", NULL,
     B, 9, 0},
};

static void test_forward(void **state)
{
    (void)state;
    kernel_check_all(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forward)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
