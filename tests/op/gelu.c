/* gelu.c -- tests of lib/op/gelu.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"gelu", "", "N,9", "N,9", 0, 2},
    {"gelu", "approximate=tanh", "N,9", "N,9", 0, 2},
};

static const struct op_bad bad[] = {
    {{"gelu", "approximate=erf", "N,3"}, ERR_USAGE, "none, tanh"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("gelu", cases, COUNT(cases), more, COUNT(more));
}
