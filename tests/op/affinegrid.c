/* affinegrid.c -- tests of lib/op/affinegrid.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"affinegrid", "size=[2,3]", "N,2,3", "N,2,3,2"},
    {"affinegrid", "size=[3,1] align_corners=yes", "N,2,3", "N,3,1,2"},
    {"affinegrid", "residual=yes like=yes", "N,2,3 N,1,2,2", "N,2,2,2"},
};

static const struct op_bad bad[] = {
    {{"affinegrid", "", "N,2,3"}, ERR_USAGE, "size is wanted"},
    {{"affinegrid", "size=2", "N,3,2"}, ERR_SHAPE, "not [N,3,2]"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("affinegrid", cases, COUNT(cases), more, COUNT(more));
}
