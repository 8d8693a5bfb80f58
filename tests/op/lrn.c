/* lrn.c -- tests of lib/op/lrn.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"lrn", "", "N,7,2,2", "N,7,2,2"},
    {"lrn", "size=3 alpha=0.5 beta=0.6 k=2", "N,4,3", "N,4,3"},
    {"lrn", "size=9 alpha=1", "N,3", "N,3"},
};

static const struct op_bad bad[] = {
    {{"lrn", "size=4", "N,4"}, ERR_USAGE, "not odd"},
    {{"lrn", "k=0", "N,4"}, ERR_USAGE, "k = 0"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("lrn", cases, COUNT(cases), more, COUNT(more));
}
