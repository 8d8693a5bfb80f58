/* deform.c -- tests of the kernels of deformable convolution.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

#define D "deformconv2d"

static const struct kernel_case cases[] = {
    {D, "out=5 kernel=3 pad=1", "2,3,5,7 2,18,5,7", NULL, 0, 27, 0},
    {D, "out=5 kernel=3 pad=1", "2,3,5,7 2,18,5,7", NULL, KERNEL_BACKWARD, 200,
     0},
    {D,
     "out=66 kernel=[1,2] groups=2 offset_groups=2 mask=yes bias=yes stride=2",
     "1,4,9,12 1,8,5,6 1,4,5,6", NULL, 0, 4, 0},
    {D,
     "out=6 kernel=[1,2] groups=2 offset_groups=2 mask=yes bias=yes stride=2",
     "3,4,9,12 3,8,5,6 3,4,5,6", NULL, KERNEL_BACKWARD, 200, 0},
    {D, "out=2 kernel=1", "1,1,12,13 1,2,12,13", NULL, 0, 1, 0},
    {D, "out=2 kernel=3 dilation=2", "1,2,6,5 1,18,2,1", NULL, KERNEL_BACKWARD,
     40, 1},
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
