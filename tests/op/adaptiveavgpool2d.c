/* adaptiveavgpool2d.c -- tests of lib/op/adaptiveavgpool2d.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"adaptiveavgpool2d", "size=[3,2]", "N,2,5,7", "N,2,3,2"},
    {"adaptiveavgpool2d", "size=1", "N,2,3,4", "N,2,1,1"},
    {"adaptiveavgpool2d", "size=4", "N,1,2,3", "N,1,4,4"},
    {"adaptiveavgpool2d", "size=6", "N,1,6,6", "N,1,6,6"},
};

static const struct op_bad bad[] = {
    {{"adaptiveavgpool2d", "size=0", "N,3,4,4"}, ERR_USAGE, "size"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("adaptiveavgpool2d", cases, COUNT(cases), more,
                         COUNT(more));
}
