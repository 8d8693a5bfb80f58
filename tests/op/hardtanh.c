/* hardtanh.c -- tests of lib/op/hardtanh.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"hardtanh", "", "N,7", "N,7"},
    {"hardtanh", "min=-0.25 max=1.5", "N,2,3,2", "N,2,3,2"},
    {"hardtanh", "", "-", ""},
};

static const struct op_bad bad[] = {
    {{"hardtanh", "min=2 max=1", "N,3"}, ERR_USAGE, "larger"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("hardtanh", cases, COUNT(cases), more, COUNT(more));
}
