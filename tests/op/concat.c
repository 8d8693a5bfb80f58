/* concat.c -- tests of lib/op/concat.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"concat", "", "N,3,2 N,1,2", "N,4,2"},
    {"concat", "axis=-1", "N,3,2 N,3,1 N,3,4", "N,3,7"},
    {"concat", "axis=0", "2*N,3 N,3", "3*N,3"},
    {"concat", "", "N,3,2", "N,3,2"},
};

static const struct op_bad bad[] = {
    {{"concat", "", "N,3 N,4,1"}, ERR_SHAPE, "do not fit"},
    {{"concat", "", "N,3,2 N,4,3"}, ERR_SHAPE, "[N,3,2] and [N,4,3]"},
    {{"concat", "axis=2", "N,3 N,3"}, ERR_USAGE, "axis = 2"},
    {{"concat", "axis=0", "N,3 1,3"}, ERR_SHAPE, "do not fit"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("concat", cases, COUNT(cases), more, COUNT(more));
}
