/* channels_blocked.c -- tests of copies of blocked values.
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
    {"concat", "axis=1", "2,16,3,5 2,32,3,5", NULL, 0, 0, 0},
    {"concat", "axis=1", "2,5,3,5 2,16,3,5 2,20,3,5", NULL, 0, 0, 0},
    {"concat", "axis=1", "2,5,3,5 2,16,3,5", NULL, B, 0, 0},
    {"concat", "axis=1", "2,16,3,5 2,16,3,5", NULL, B, 0, 2},
    {"concat", "axis=1", "2,5,3,5 2,13,3,5", "channelshuffle", 0, 0, 0},
    {"concat", "axis=1", "1,16,3,5 1,16,3,5 1,20,3,5", "channelshuffle", 0, 0,
     0},
    {"split", "axis=1 sizes=[16,24]", "2,40,3,3", NULL, 0, 0, 0},
    {"split", "axis=1 sizes=[7,30,3]", "2,40,3,3", NULL, B, 0, 0},
    {"slice", "axis=1 start=16 length=20", "2,40,3,3", NULL, 0, 0, 0},
    {"slice", "axis=1 start=5 length=30", "2,40,3,3", NULL, B, 0, 0},
    {"slice", "axis=1 start=16 length=16", "2,40,3,3", NULL, B, 0, 0},
    {"channelshuffle", "groups=2", "2,40,3,3", NULL, 0, 0, 0},
    {"channelshuffle", "groups=3", "1,18,3,3", NULL, B, 0, 0},
    {"channelshuffle", "groups=2", "2,38,4,3", NULL, B, 0, 0},
    {"channelshuffle", "groups=2", "1,58,1,1", NULL, 0, 0, 0},
    {"split", "axis=1 sizes=[29,29]", "1,58,1,1", NULL, B, 0, 0},
    {"padchannels", "to=48", "2,16,3,5", NULL, 0, 0, 0},
    {"padchannels", "to=33", "2,16,3,5", NULL, B, 0, 0},
    {"padchannels", "to=64 split=no", "1,20,3,5", NULL, B, 0, 0},
    {"subsample", "stride=2", "2,20,7,6", NULL, 0, 0, 0},
    {"subsample", "stride=3", "2,20,7,6", NULL, B, 0, 0},
};

static void test_copies(void **state)
{
    (void)state;
    kernel_check_all(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_copies)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
