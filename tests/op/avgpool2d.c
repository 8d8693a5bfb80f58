/* avgpool2d.c -- tests of lib/op/avgpool2d.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"avgpool2d", "kernel=2", "N,2,5,4", "N,2,2,2"},
    {"avgpool2d", "kernel=2 ceil_mode=yes count_include_pad=no", "N,2,5,4",
     "N,2,3,2"},
    {"avgpool2d", "kernel=3 stride=2 pad=1", "N,1,6,5", "N,1,3,3"},
    {"avgpool2d", "kernel=3 stride=2 pad=1 ceil_mode=yes", "N,1,6,5",
     "N,1,4,3"},
    {"avgpool2d", "kernel=[1,3] stride=1 pad=[0,1] count_include_pad=no",
     "N,1,2,4", "N,1,2,4"},
    {"avgpool2d", "kernel=4", "N,1,4,4", "N,1,1,1"},
};

static const struct op_bad bad[] = {
    {{"avgpool2d", "kernel=3 pad=2", "N,3,4,4"}, ERR_USAGE, "half"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("avgpool2d", cases, COUNT(cases), more, COUNT(more));
}
