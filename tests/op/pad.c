/* pad.c -- tests of lib/op/pad.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"pad", "pad=1", "N,2,3,2", "N,2,5,4"},
    {"pad", "pad=[1,2,0,3] value=2.5", "N,1,4,5", "N,1,5,10"},
    {"pad", "pad=[1,2,2,1] mode=reflect", "N,1,4,3", "N,1,7,6"},
    {"pad", "pad=[5,2] mode=edge", "N,1,2,3", "N,1,12,7"},
    {"pad", "pad=0", "N,1,2,3", "N,1,2,3"},
};

static const struct op_bad bad[] = {
    {{"pad", "pad=3 mode=reflect", "N,1,3,9"}, ERR_SHAPE, "mirror"},
    {{"pad", "pad=3 mode=wrap", "N,1,3,9"}, ERR_USAGE, "constant, reflect"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("pad", cases, COUNT(cases), more, COUNT(more));
}
