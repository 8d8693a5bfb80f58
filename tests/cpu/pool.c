/* pool.c -- tests of pooling on planes, and of the optimisers' steps.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

enum { B = KERNEL_BACKWARD, U = KERNEL_UPDATE, S = KERNEL_SPECIAL };

static const struct kernel_case planes[] = {
    {"maxpool2d", "kernel=3 stride=2 pad=1", "2,3,9,8", NULL, 0, 0, 0},
    {"maxpool2d", "kernel=3 stride=2 pad=1", "2,3,9,8", NULL, KERNEL_TRAIN, 0,
     0},
    {"maxpool2d", "kernel=2", "2,5,70,70", NULL, 0, 0, 0},
    {"maxpool2d", "kernel=3 stride=1 pad=1", "1,5,17,33", NULL, 0, 0, 0},
    {"maxpool2d", "kernel=3 stride=2 ceil_mode=yes", "1,5,12,34", NULL, 0, 0,
     0},
    {"maxpool2d", "kernel=[5,4] stride=[3,2] pad=2", "1,3,40,71", NULL, S, 1,
     0},
    {"avgpool2d", "kernel=3 stride=2 pad=1", "2,3,9,8", NULL, 0, 9, 0},
    {"globalavgpool", "", "3,65,8,8", NULL, 0, 64, 0},
    {"subsample", "stride=2", "3,5,9,8", NULL, 0, 0, 0},
    {"avgpool2d", "kernel=3 stride=2 pad=1", "2,3,9,8", NULL, B, 9, 0},
    {"globalavgpool", "", "3,65,80,8", NULL, B, 1, 0},
    {"subsample", "stride=2", "3,5,9,8", NULL, B, 0, 0},
};

static const struct kernel_case steps[] = {
    {"sgd", "momentum=0.9 nesterov=yes decay=0.01", "5,7 5,7 1 5,7", NULL, U, 3,
     0},
    {"sgd", "momentum=0.9", "40000 40000 1 40000", NULL, U, 3, 0},
    {"sgd", "scaled=yes", "40000 40000 1 40000 1", NULL, U, 3, 0},
    /* Without beta2, as the squares so far are drawn with a sign.  */
    {"adamw", "beta2=0 decay=0.5", "5,7 5,7 1 5,7 5,7 1", NULL, U, 3, 0},
    {"adamw", "beta2=0", "40000 40000 1 40000 40000 1", NULL, U, 3, 0},
    {"adamw", "beta2=0 scaled=yes", "40000 40000 1 40000 40000 1 1", NULL, U, 3,
     0},
    {"ema", "", "5,7 5,7 1", NULL, U, 3, 0},
    {"ema", "", "40000 40000 1", NULL, U, 3, 0},
};

static void test_planes(void **state)
{
    (void)state;
    kernel_check_all(planes, COUNT(planes));
}

static void test_steps(void **state)
{
    (void)state;
    kernel_check_all(steps, COUNT(steps));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planes),
                                       cmocka_unit_test(test_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
