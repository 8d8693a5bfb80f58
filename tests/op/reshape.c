/* reshape.c -- tests of lib/op/reshape.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"reshape", "shape=[4,1,3]", "N,4,3", "4*N,1,3"},
    {"reshape", "shape=[1,3,4]", "N,4,3", "N,3,4"},
    {"reshape", "shape=[1,-1]", "N,4,3", "N,12"},
    {"reshape", "shape=[2,3,2]", "2,N,6", "2,3*N,2"},
    {"reshape", "shape=[6,2]", "3,4", "6,2"},
};

static const struct op_bad bad[] = {
    {{"reshape", "shape=[1,5]", "N,4"}, ERR_SHAPE, "[N,4]"},
    {{"reshape", "shape=[-1,-1]", "N,4"}, ERR_USAGE, "more than one"},
    {{"reshape", "shape=[1,-2]", "N,4"}, ERR_USAGE, "more than one"},
    {{"reshape", "shape=[4,3]", "2,N,6"}, ERR_SHAPE, "no place"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("reshape", cases, COUNT(cases), more, COUNT(more));
}
