/* gridsample.c -- tests of lib/op/gridsample.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"gridsample", "", "N,2,3,4 N,2,3,2", "N,2,2,3", 0, 0.5},
    {"gridsample", "align_corners=yes", "N,1,3,2 N,2,2,2", "N,1,2,2", 0, 0.5},
    {"gridsample", "padding=border", "N,2,3,4 N,2,3,2", "N,2,2,3"},
    {"gridsample", "padding=border align_corners=yes", "N,1,3,4 N,2,3,2",
     "N,1,2,3"},
    {"gridsample", "", "N,1,1,1 N,2,1,2", "N,1,2,1"},
};

static const struct op_bad bad[] = {
    {{"gridsample", "", "N,2,3,4 N,2,3,3"}, ERR_SHAPE, "[N,P,Q,2]"},
    {{"gridsample", "padding=wrap", "N,2,3,4 N,2,3,2"},
     ERR_USAGE,
     "zeros, border"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("gridsample", cases, COUNT(cases), more, COUNT(more));
}
