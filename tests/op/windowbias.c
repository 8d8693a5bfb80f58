/* windowbias.c -- tests of lib/op/windowbias.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"windowbias", "size=2", "9,3", "1,3,4,4"},
    {"windowbias", "size=3", "25,1", "1,1,9,9"},
    {"windowbias", "size=1", "1,2", "1,2,1,1"},
    {"windowbias", "size=2 grid=[4,6] shift=1", "9,2", "6,2,4,4"},
    {"windowbias", "size=3 grid=[4,3] shift=2", "25,1", "2,1,9,9"},
    {"windowbias", "size=2 grid=[4,6]", "9,2", "1,2,4,4"},
};

static const struct op_bad bad[] = {
    {{"windowbias", "size=3", "9,3"}, ERR_SHAPE, "25 rows"},
    {{"windowbias", "size=2", "N,3"}, ERR_SHAPE, "9 rows"},
    {{"windowbias", "size=2", "9"}, ERR_SHAPE, "[9]"},
    {{"windowbias", "size=2 grid=[2147483647,2147483647] shift=1", "9,3"},
     ERR_SHAPE,
     "too"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("windowbias", cases, COUNT(cases), more, COUNT(more));
}
