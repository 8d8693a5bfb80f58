/* classtoken.c -- tests of lib/op/classtoken.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"classtoken", "", "N,3,2", "N,4,2"},
    {"classtoken", "count=2", "N,1,3", "N,3,3"},
    {"classtoken", "", "N,4,2 1,1,2", "N,5,2"},
};

static const struct op_bad bad[] = {
    {{"classtoken", "", "N,3"}, ERR_SHAPE, "[N,3]"},
    {{"classtoken", "count=0", "N,3,2"}, ERR_USAGE, "count = 0"},
    {{"classtoken", "", "N,3,2 1,2,2"}, ERR_SHAPE, "does not fit"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("classtoken", cases, COUNT(cases), more, COUNT(more));
}
