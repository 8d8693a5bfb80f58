/* linear.c -- tests of lib/op/linear.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"linear", "out=3", "N,5", "N,3"},
    {"linear", "out=4 bias=no", "N,3", "N,4"},
    {"linear", "out=2", "3*N,2,4", "3*N,2,2"},
    {"linear", "out=1", "4", "1"},
};

static const struct op_bad bad[] = {
    {{"linear", "out=0", "N,3"}, ERR_USAGE, "out = 0"},
    {{"linear", "out=3", "3,N"}, ERR_SHAPE, "features"},
    {{"linear", "out=3", "-"}, ERR_SHAPE, "features"},
    {{"linear", "out=3", "N,4 3,5"}, ERR_SHAPE, "weight [3,5] does not fit"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("linear", cases, COUNT(cases), more, COUNT(more));
}
