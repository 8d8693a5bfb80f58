/* globalavgpool.c -- tests of lib/op/globalavgpool.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"globalavgpool", "", "N,3,5,4", "N,3"},
    {"globalavgpool", "", "N,1,1,1", "N,1"},
    {"globalavgpool", "", "1,2,7,1", "1,2"},
};

static const struct op_bad bad[] = {
    {{"globalavgpool", "", "N,3,4"}, ERR_SHAPE, "3 sizes, not 4"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("globalavgpool", cases, COUNT(cases), more,
                         COUNT(more));
}
