/* subsample.c -- tests of lib/op/subsample.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"subsample", "stride=2", "N,2,5,4", "N,2,3,2"},
    {"subsample", "stride=3", "N,2,1,7", "N,2,1,3"},
    {"subsample", "stride=1", "N,2,2,3", "N,2,2,3"},
};

static const struct op_bad bad[] = {
    {{"subsample", "stride=0", "N,3,2,2"}, ERR_USAGE, "stride = 0"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("subsample", cases, COUNT(cases), more, COUNT(more));
}
