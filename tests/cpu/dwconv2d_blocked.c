/* dwconv2d_blocked.c -- tests of depthwise convolution on blocked values.
 * SPDX-License-Identifier: MIT  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

#define C "conv2d"

static const struct kernel_case cases[] = {
    {C, "out=20 kernel=3 pad=1 groups=20", "2,20,17,23", NULL, 0, 9, 0},
    {C, "out=16 kernel=3 pad=1 stride=2 groups=16", "1,16,28,29", NULL, 0, 9,
     0},
    {C, "out=33 kernel=5 pad=2 groups=33 bias=yes", "2,33,19,14", NULL, 0, 25,
     0},
    {C, "out=8 kernel=5 pad=2 stride=2 groups=8", "1,8,21,30", NULL, 0, 25, 0},
    {C, "out=8 kernel=[3,5] pad=[0,1,2,3] stride=[3,2] groups=8", "1,8,21,30",
     NULL, 0, 25, 0},
    {C, "out=8 kernel=3 pad=2 dilation=2 groups=8", "1,8,11,9", NULL, 0, 9, 0},
    {C, "out=8 kernel=3 pad=1 groups=8", "1,8,2,1", NULL, 0, 9, 0},
    {C, "out=8 kernel=7 pad=3 groups=8", "2,8,9,8", NULL, 0, 49, 0},
    {C, "out=20 kernel=7 pad=3 groups=20", "1,20,8,33", NULL, 0, 49, 0},
    /* tiles at both ends, at one, at none; more beside x than in it */
    {C, "out=20 kernel=3 pad=1 groups=20", "1,20,7,7", "relu6", 0, 9, 0},
    {C, "out=20 kernel=5 pad=2 groups=20", "1,20,9,28", "hardswish", 0, 25, 0},
    {C, "out=8 kernel=5 pad=4 groups=8", "1,8,6,9", NULL, 0, 25, 0},
    {C, "out=8 kernel=5 pad=2 groups=8", "1,8,4,3", NULL, 0, 25, 0},
    {C, "out=8 kernel=7 pad=[3,6] groups=8", "1,8,6,5", NULL, 0, 49, 0},
    {C, "out=8 kernel=3 pad=[1,0,2,7] groups=8", "1,8,5,16", NULL, 0, 9, 0},
    {C, "out=8 kernel=3 pad=[1,5,1,0] groups=8", "1,8,5,9", NULL, 0, 9, 0},
    {C, "out=24 kernel=3 pad=1 groups=24", "2,24,9,10", "batchnorm2d relu6", 0,
     9, 0},
    {C, "out=24 kernel=3 pad=1 groups=24", "2,24,9,10", "batchnorm2d add silu",
     0, 9, 0},
};

#define B KERNEL_BACKWARD

static const struct kernel_case backward[] = {
    {C, "out=20 kernel=3 pad=1 groups=20", "2,20,17,23", NULL, B, 782, 0},
    {C, "out=16 kernel=3 pad=1 stride=2 groups=16", "19,16,8,9", NULL, B, 380,
     0},
    {C, "out=33 kernel=5 pad=2 groups=33 bias=yes", "2,33,19,14", NULL, B, 532,
     0},
    {C, "out=8 kernel=[3,5] pad=[0,1,2,3] stride=[3,2] groups=8", "1,8,21,30",
     NULL, B, 105, 0},
    {C, "out=8 kernel=3 pad=2 dilation=2 groups=8", "1,8,11,9", NULL, B, 99, 0},
    {C, "out=8 kernel=7 pad=3 groups=8", "2,8,9,8", NULL, B, 144, 0},
    /* several bands; rows of dx below the last; beside all of dy */
    {C, "out=4 kernel=3 pad=1 stride=2 groups=4", "1,4,21,200", NULL, B, 1100,
     0},
    {C, "out=4 kernel=5 groups=4", "1,4,13,204", NULL, B, 1800, 0},
    {C, "out=8 kernel=2 pad=4 stride=2 groups=8", "1,8,3,5", NULL, B, 60, 0},
    {C, "out=8 kernel=[4,6] pad=1 dilation=[1,2] groups=8", "1,8,9,15", NULL, B,
     60, 0},
    {C, "out=8 kernel=3 pad=1 groups=8", "1,8,2,1", NULL, B, 9, 2},
    {C, "out=8 kernel=3 pad=1 groups=8", "1,8,5,6", NULL, B, 9, 1},
};

static void test_backward(void **state)
{
    (void)state;
    kernel_check_all(backward, COUNT(backward));
}

static void test_forward(void **state)
{
    (void)state;
    kernel_check_all(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forward),
                                       cmocka_unit_test(test_backward)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
