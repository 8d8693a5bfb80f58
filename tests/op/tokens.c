/* tokens.c -- tests of lib/op/tokens.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"tokens", "", "N,3,2,2", "N,4,3"},
    {"tokens", "", "N,1,3,1", "N,3,1"},
};

static const struct op_bad bad[] = {
    {{"tokens", "", "N,3,4"}, ERR_SHAPE, "[N,3,4]"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("tokens", cases, COUNT(cases), more, COUNT(more));
}
