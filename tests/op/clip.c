/* clip.c -- tests of lib/op/clip.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"clip", "min=-1 max=0.5", "N,7", "N,7"},
    {"clip", "min=0", "N,2,3", "N,2,3"},
    {"clip", "", "N,2,3", "N,2,3"},
};

static const struct op_bad bad[] = {
    {{"clip", "min=2 max=1", "N,3"}, ERR_USAGE, "larger"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("clip", cases, COUNT(cases), more, COUNT(more));
}
