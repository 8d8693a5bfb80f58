/* logsoftmax.c -- tests of lib/op/logsoftmax.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"logsoftmax", "", "N,7", "N,7", 0, 4},
    {"logsoftmax", "axis=1", "N,3,4", "N,3,4", 0, 4},
    {"logsoftmax", "axis=0", "3,2*N,2", "3,2*N,2"},
    {"logsoftmax", "", "N,1", "N,1"},
};

static const struct op_bad bad[] = {
    {{"logsoftmax", "axis=0", "N,3"}, ERR_SHAPE, "counts the batch"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("logsoftmax", cases, COUNT(cases), more, COUNT(more));
}
