/* split.c -- tests of lib/op/split.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"split", "sizes=[1,3]", "N,4,2", "N,1,2 N,3,2"},
    {"split", "axis=-1 sizes=[2,1,2]", "N,2,5", "N,2,2 N,2,1 N,2,2"},
    {"split", "sizes=3", "N,3", "N,3"},
};

static const struct op_bad bad[] = {
    {{"split", "sizes=[1,3]", "N,5"}, ERR_SHAPE, "1 of input [N,5] over"},
    {{"split", "sizes=[1,3]", "N,3"}, ERR_SHAPE, "piece 1 of 3"},
    {{"split", "sizes=[0,3]", "N,3"}, ERR_SHAPE, "piece 0 of 0"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("split", cases, COUNT(cases), more, COUNT(more));
}
