/* conv2d_winograd.c -- tests of convolution by Winograd's transforms.
 * SPDX-License-Identifier: MIT  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

#define C "conv2d"

/* Sums of 9 C terms; tiles of 4 x 4 lose one bit more, the rounding of 4
 * times as many.  */
#define SUM(c) (4 * 9 * (c))

static const struct kernel_case forward[] = {
    {C, "out=32 kernel=3 pad=1", "2,32,28,28", NULL, 0, SUM(32), 0},
    {C, "out=16 kernel=3 pad=1", "1,16,32,32", NULL, 0, SUM(16), 0},
    {C, "out=40 kernel=3 pad=1", "3,24,21,18", NULL, 0, SUM(24), 0},
    {C, "out=17 kernel=3 pad=[0,2,1,0]", "1,35,30,23", NULL, 0, SUM(35), 0},
    {C, "out=32 kernel=3", "2,16,9,40", NULL, 0, SUM(16), 0},
    {C, "out=48 kernel=3 pad=1", "2,32,7,7", NULL, 0, SUM(32), 0},
    {C, "out=16 kernel=3 pad=1", "5,70,5,3", NULL, 0, SUM(70), 0},
    {C, "out=16 kernel=3 pad=1", "1,16,1,1", NULL, 0, SUM(16), 0},
    {C, "out=96 kernel=3 pad=1 bias=yes", "1,200,6,6", NULL, 0, SUM(200), 0},
};

static const struct kernel_case followed[] = {
    {C, "out=32 kernel=3 pad=1", "2,16,18,19", "batchnorm2d add relu", 0,
     SUM(16), 0},
    {C, "out=20 kernel=3 pad=1 bias=yes", "2,16,7,9", "batchnorm2d relu6", 0,
     SUM(16), 0},
    {C, "out=16 kernel=3 bias=yes", "1,16,23,25", "add", 0, SUM(16), 0},
    {C, "out=40 kernel=3 pad=1", "1,24,7,9", "add silu", 0, SUM(24), 0},
    {C, "out=40 kernel=3 pad=1", "1,24,22,21", "batchnorm2d hardswish", 0,
     SUM(24), 0},
};

static void test_forward(void **state)
{
    (void)state;
    kernel_check_all(forward, COUNT(forward));
}

static void test_followed(void **state)
{
    (void)state;
    kernel_check_all(followed, COUNT(followed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
