/* l2norm.c -- tests of lib/op/l2norm.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"l2norm", "", "N,5,3", "N,5,3"},
    {"l2norm", "axis=-1", "N,2,4", "N,2,4"},
    {"l2norm", "axis=0", "4,2*N", "4,2*N"},
    {"l2norm", "eps=1", "N,3", "N,3", 0, 0.1},
};

static const struct op_bad bad[] = {
    {{"l2norm", "axis=0", "N,4"}, ERR_SHAPE, "counts the batch"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("l2norm", cases, COUNT(cases), more, COUNT(more));
}
