/* add.c -- tests of lib/op/add.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"add", "", "N,3,2 N,3,2", "N,3,2"},
    {"add", "", "N,3,2", "N,3,2"},
    {"add", "", "N,3,2 N,3,2 N,3,2", "N,3,2"},
    {"add", "", "N,3,2 1,3,1", "N,3,2"},
    {"add", "", "3,2 N,1,2", "N,3,2"},
    {"add", "", "N,3,1 1,1,4", "N,3,4"},
    {"add", "", "- 2,2", "2,2"},
};

static const struct op_bad bad[] = {
    {{"add", "", "N,3 N,4"}, ERR_SHAPE, "[N,3] and [N,4] do not fit"},
    {{"add", "", "N,3 2,3"}, ERR_SHAPE, "[N,3] and [2,3] do not fit"},
    {{"add", "", "N,3 2*N,3"}, ERR_SHAPE, "do not fit"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("add", cases, COUNT(cases), more, COUNT(more));
}
