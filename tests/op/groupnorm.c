/* groupnorm.c -- tests of lib/op/groupnorm.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"groupnorm", "groups=2", "N,4,3,2", "N,4,3,2"},
    {"groupnorm", "groups=1 affine=no eps=0.01", "N,3,2", "N,3,2"},
    {"groupnorm", "groups=3", "N,3", "N,3", 0, 0, 3},
};

static const struct op_bad bad[] = {
    {{"groupnorm", "groups=3", "N,4,2"}, ERR_SHAPE, "3 groups do not divide"},
    {{"groupnorm", "groups=0", "N,4,2"}, ERR_USAGE, "groups = 0"},
    {{"groupnorm", "groups=2 eps=-1", "N,4,2"}, ERR_USAGE, "eps"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("groupnorm", cases, COUNT(cases), more, COUNT(more));
}
