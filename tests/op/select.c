/* select.c -- tests of lib/op/select.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"select", "", "N,4,2", "N,2"},
    {"select", "axis=-1 index=2", "N,2,3", "N,2"},
    {"select", "axis=0 index=1", "3,N", "N"},
};

static const struct op_bad bad[] = {
    {{"select", "index=3", "N,3"}, ERR_USAGE, "index = 3"},
    {{"select", "axis=0", "N,3"}, ERR_SHAPE, "counts the batch"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("select", cases, COUNT(cases), more, COUNT(more));
}
