/* slice.c -- tests of lib/op/slice.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"slice", "start=1 length=2", "N,4,2", "N,2,2"},
    {"slice", "axis=-1 length=3", "N,2,3", "N,2,3"},
    {"slice", "axis=0 start=2 length=1", "3,2", "1,2"},
};

static const struct op_bad bad[] = {
    {{"slice", "start=2 length=2", "N,3"}, ERR_SHAPE, "[2,4)"},
    {{"slice", "axis=0 length=1", "N,3"}, ERR_SHAPE, "[N,3]"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("slice", cases, COUNT(cases), more, COUNT(more));
}
