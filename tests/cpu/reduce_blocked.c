/* reduce_blocked.c -- tests of means, sums and the largest of blocked values.
 * SPDX-License-Identifier: MIT  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "base/mem.h"

enum { B = KERNEL_BACKWARD, S = KERNEL_SPECIAL };

static const struct kernel_case cases[] = {
    {"reduce", "axes=1", "2,20,5,7", NULL, 0, 20, 0},
    {"reduce", "axes=1 kind=sum", "1,48,3,1", NULL, 0, 48, 0},
    {"reduce", "axes=1 kind=max", "3,7,4,19", NULL, 0, 0, 0},
    {"reduce", "axes=1 kind=max", "1,33,4,5", NULL, S, 0, 0},
    {"reduce", "axes=2", "2,20,5,7", NULL, 0, 5, 0},
    {"reduce", "axes=2 kind=max", "1,33,6,9", NULL, 0, 0, 0},
    {"reduce", "axes=3", "2,20,5,17", NULL, 0, 17, 0},
    {"reduce", "axes=3 kind=max", "2,18,1,19", NULL, S, 0, 0},
    {"reduce", "axes=2,3", "2,20,5,9", NULL, 0, 45, 0},
    {"reduce", "axes=2,3 kind=sum", "1,1,3,3", NULL, 0, 9, 0},
    {"reduce", "axes=2,3 kind=max", "2,17,5,7", NULL, 0, 0, 0},
    {"reduce", "axes=1", "2,20,5,7", NULL, B, 0, 0},
    {"reduce", "axes=1 kind=max", "2,20,5,7", NULL, B, 0, 0},
    {"reduce", "axes=2", "2,20,5,7", NULL, B, 0, 0},
    {"reduce", "axes=2 kind=max", "1,33,6,9", NULL, B, 0, 0},
    {"reduce", "axes=3 kind=sum", "2,20,5,17", NULL, B, 0, 0},
    {"reduce", "axes=3 kind=max", "2,18,3,19", NULL, B, 0, 0},
    {"reduce", "axes=2,3", "2,20,5,9", NULL, B, 0, 0},
    {"reduce", "axes=2,3 kind=max", "1,17,5,7", NULL, B, 0, 0},
    {"reduce", "axes=1 kind=max", "1,33,4,5", NULL, B | S, 0, 0},
    {"reduce", "axes=2,3 kind=max", "1,17,5,7", NULL, B | S, 0, 0},
};

static void test_reduce(void **state)
{
    (void)state;
    kernel_check_all(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reduce)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
