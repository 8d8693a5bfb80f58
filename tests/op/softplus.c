/* softplus.c -- tests of lib/op/softplus.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"softplus", "", "N,7", "N,7", 0, 4},
    {"softplus", "beta=3 threshold=2", "N,2,3,2", "N,2,3,2"},
    {"softplus", "beta=0.5 threshold=1e6", "N,5", "N,5", 0, 1000},
    {"softplus", "", "-", ""},
};

static const struct op_bad bad[] = {
    {{"softplus", "beta=0", "N,3"}, ERR_USAGE, "beta"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("softplus", cases, COUNT(cases), more, COUNT(more));
}
