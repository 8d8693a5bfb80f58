/* flatten.c -- tests of lib/op/flatten.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"flatten", "", "N,3,2,2", "N,12"},
    {"flatten", "axis=2", "N,3,2,2", "3*N,4"},
    {"flatten", "", "N,5", "N,5"},
    {"flatten", "", "3,N,5", "3,5*N"},
};

static const struct op_bad bad[] = {
    {{"flatten", "axis=4", "N,3"}, ERR_USAGE, "axis = 4"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("flatten", cases, COUNT(cases), more, COUNT(more));
}
