/* bits.c -- kernels whose sums are chains write the same bits on every machine:
 * all that have FMA, and all portable ones.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

static const struct kernel_case cases[] = {
    {"conv2d",
     "out=40 kernel=3 pad=1 stride=2",
     "2,24,21,18",
     "batchnorm2d add relu",
     0,
     9 * 24,
     0,
     "conv2d_direct",
     {0xad3585d0757fcfde, 0x4722edfa75e056ca}},
    {"conv2d",
     "out=70 kernel=1 bias=yes",
     "3,33,7,9",
     "silu",
     0,
     33,
     0,
     "conv2d_direct",
     {0x60adf6d12161657f, 0xf3bf6d93e2997dec}},
    {"conv2d",
     "out=40 kernel=3 pad=1",
     "2,24,21,18",
     "batchnorm2d hardswish",
     0,
     4 * 9 * 24,
     0,
     "conv2d_winograd",
     {0x779e5f385aacd937, 0x44bcd6d17930c20e}},
    {"conv2d",
     "out=40 groups=40 kernel=5 pad=2",
     "2,40,13,11",
     "batchnorm2d relu6",
     0,
     25,
     0,
     "dwconv2d_blocked",
     {0x6ba30e4bf958d526, 0xa61939e5e841b77b}},
    {"linear",
     "out=70",
     "19,130",
     "add gelu",
     0,
     130,
     0,
     "linear_packed",
     {0x5f988a580bbf43eb, 0x8f2cb81ad9f0c66f}},
};

static void test_bits(void **state)
{
    (void)state;
    kernel_check_all(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
