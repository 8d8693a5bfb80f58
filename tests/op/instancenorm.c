/* instancenorm.c -- tests of lib/op/instancenorm.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"instancenorm", "", "N,3,5", "N,3,5"},
    {"instancenorm", "affine=yes eps=1e-3", "N,2,3,2", "N,2,3,2"},
};

static const struct op_bad bad[] = {
    {{"instancenorm", "", "N,4"}, ERR_SHAPE, "sizes"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("instancenorm", cases, COUNT(cases), more,
                         COUNT(more));
}
