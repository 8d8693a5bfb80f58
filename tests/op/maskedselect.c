/* maskedselect.c -- tests of lib/op/maskedselect.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"maskedselect", "", "N,5 N,5", "N,5 N"},
    {"maskedselect", "", "N,2,7 N,2,7", "N,2,7 N,2"},
    {"maskedselect", "", "3 3", "3 "},
};

static const struct op_bad bad[] = {
    {{"maskedselect", "", "N,5 N,4"}, ERR_SHAPE, "does not fit"},
    {{"maskedselect", "", "N N"}, ERR_SHAPE, "no rows"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("maskedselect", cases, COUNT(cases), more,
                         COUNT(more));
}
