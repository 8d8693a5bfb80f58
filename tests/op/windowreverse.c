/* windowreverse.c -- tests of lib/op/windowreverse.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"windowreverse", "grid=[4,6] size=2", "6*N,4,3", "N,24,3"},
    {"windowreverse", "grid=[4,4] size=2 shift=1", "4*N,4,2", "N,16,2"},
    {"windowreverse", "grid=[5,3] size=3 shift=2", "2*N,9,1", "N,15,1"},
    {"windowreverse", "grid=[1,2] size=3", "N,9,2", "N,2,2"},
};

static const struct op_bad bad[] = {
    {{"windowreverse", "grid=[4,4] size=2", "3*N,4,2"},
     ERR_SHAPE,
     "no multiple of 4 windows"},
    {{"windowreverse", "grid=[4,4] size=2", "4*N,3,2"}, ERR_SHAPE, "4 tokens"},
    {{"windowreverse", "grid=[2,2] size=2 shift=-1", "N,4,2"},
     ERR_USAGE,
     "shift = -1"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("windowreverse", cases, COUNT(cases), more,
                         COUNT(more));
}
