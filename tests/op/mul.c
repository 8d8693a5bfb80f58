/* mul.c -- tests of lib/op/mul.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"mul", "", "N,3,2 N,3,2", "N,3,2"},
    {"mul", "", "N,3,2,2 N,3,1,1", "N,3,2,2"},
    {"mul", "", "N,3 1,3 N,1", "N,3"},
    {"mul", "", "N,3", "N,3"},
};

static const struct op_bad bad[] = {
    {{"mul", "", "N,3 N,4"}, ERR_SHAPE, "do not fit"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("mul", cases, COUNT(cases), more, COUNT(more));
}
