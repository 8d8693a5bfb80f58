/* div.c -- tests of lib/op/div.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"div", "", "N,3,2 N,3,2", "N,3,2", CASE_POSITIVE},
    {"div", "", "N,3,2,2 N,3,1,1", "N,3,2,2", CASE_POSITIVE},
    {"div", "", "N,1 1,3", "N,3", CASE_POSITIVE},
    {"div", "", "- N,3", "N,3", CASE_POSITIVE},
    {"div", "", "3 N,1", "N,3", CASE_POSITIVE},
};

static const struct op_bad bad[] = {
    {{"div", "", "N,3 N,4"}, ERR_SHAPE, "do not fit"},
    {{"div", "", "N,3 i64%3:N,3"}, ERR_SHAPE, "f32"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("div", cases, COUNT(cases), more, COUNT(more));
}
