/* scale.c -- tests of lib/op/scale.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"scale", "", "N,3,2,2", "N,3,2,2"},
    {"scale", "axis=-1", "N,3,4", "N,3,4"},
};

static const struct op_bad bad[] = {
    {{"scale", "axis=0", "N,3"}, ERR_SHAPE, "counts the batch"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("scale", cases, COUNT(cases), more, COUNT(more));
}
