/* upsample_blocked.c -- tests of blocked maps of another size.
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
    {"upsample", "", "2,20,5,7", NULL, 0, 4, 0},
    {"upsample", "scale=3", "1,33,2,3", NULL, 0, 4, 0},
    {"upsample", "mode=bilinear", "2,20,5,7", NULL, 0, 4, 0},
    {"upsample", "mode=bilinear align_corners=yes", "1,18,4,3", NULL, 0, 4, 0},
    {"upsample", "mode=bilinear size=9,4", "2,17,5,7", NULL, 0, 4, 0},
    {"upsample", "size=3,11", "1,48,7,5", NULL, 0, 4, 0},
    {"upsample", "mode=bilinear size=6,6", "2,16,1,1", NULL, 0, 4, 0},
    {"upsample", "like=yes mode=bilinear", "2,20,5,7 2,9,8,13", NULL, 0, 36, 0},
    {"upsample", "", "2,20,5,7", NULL, B, 36, 0},
    {"upsample", "scale=3", "1,33,2,3", NULL, B, 36, 0},
    {"upsample", "mode=bilinear", "2,20,5,7", NULL, B, 36, 0},
    {"upsample", "mode=bilinear align_corners=yes", "1,18,4,3", NULL, B, 36, 0},
    {"upsample", "mode=bilinear size=9,4", "2,17,5,7", NULL, B, 36, 0},
    {"upsample", "size=3,11", "1,48,7,5", NULL, B, 36, 0},
    {"upsample", "mode=bilinear size=6,6", "2,16,1,1", NULL, B, 36, 0},
    {"upsample", "like=yes mode=bilinear", "2,20,5,7 2,9,8,13", NULL, B, 36, 0},
};

static void test_upsample(void **state)
{
    (void)state;
    kernel_check_all(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_upsample)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
