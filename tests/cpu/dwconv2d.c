/* dwconv2d.c -- tests of the depthwise convolution kernels.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

#define C "conv2d"
enum { B = KERNEL_BACKWARD };

static const struct kernel_case forward[] = {
    {C, "out=5 kernel=3 pad=1 groups=5", "2,5,14,14", "relu6", 0, 9, 0},
    {C, "out=40 kernel=3 pad=1 groups=40", "1,40,7,7", "batchnorm2d add relu",
     0, 9, 0},
    {C, "out=3 kernel=3 pad=1 stride=2 groups=3", "2,3,33,57", NULL, 0, 9, 0},
    {C, "out=3 kernel=5 pad=2 groups=3 bias=yes", "2,3,56,56", NULL, 0, 25, 0},
    {C, "out=2 kernel=7 stride=[1,2] pad=3 groups=2", "1,2,20,40", NULL, 0, 49,
     0},
    {C, "out=2 kernel=3 stride=3 dilation=2 groups=2", "1,2,20,41", NULL, 0, 9,
     0},
    {C, "out=2 kernel=1 groups=2", "1,2,3,300", NULL, 0, 1, 0},
    {C, "out=1 kernel=3 pad=1", "1,1,300,300", NULL, 0, 9, 0},
    {C, "out=1 kernel=3 pad=[0,4,4,0]", "2,1,5,3", NULL, 0, 9, 0},
    {C, "out=6 kernel=3 pad=1 groups=3", "1,3,9,9", NULL, 0, 9, 0},
};

static const struct kernel_case backward[] = {
    {C, "out=5 kernel=3 pad=1 groups=5", "2,5,14,14", NULL, B, 400, 0},
    {C, "out=40 kernel=3 pad=1 groups=40 bias=yes", "17,40,7,7", NULL, B, 833,
     0},
    {C, "out=3 kernel=3 pad=1 stride=2 groups=3", "2,3,33,57", NULL, B, 1000,
     0},
    {C, "out=3 kernel=5 pad=2 groups=3 bias=yes", "2,3,56,56", NULL, B, 6272,
     0},
    {C, "out=2 kernel=7 stride=[1,2] pad=3 groups=2", "1,2,20,40", NULL, B, 400,
     0},
    {C, "out=2 kernel=3 stride=3 dilation=2 groups=2", "1,2,20,41", NULL, B, 80,
     0},
    {C, "out=1 kernel=3 pad=1", "1,1,400,400", NULL, B, 160000, 2},
};

static void test_forward(void **state)
{
    (void)state;
    kernel_check_all(forward, COUNT(forward));
}

static void test_backward(void **state)
{
    (void)state;
    kernel_check_all(backward, COUNT(backward));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_backward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
