/* prelu.c -- tests of lib/op/prelu.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"prelu", "", "N,7", "N,7"},
    {"prelu", "per_channel=yes", "N,3,2,5", "N,3,2,5"},
    {"prelu", "per_channel=yes axis=-1", "N,2,3", "N,2,3"},
    {"prelu", "", "-", ""},
    {"prelu", "per_channel=yes axis=0", "3,2*N", "3,2*N"},
};

static const struct op_bad bad[] = {
    {{"prelu", "per_channel=yes axis=0", "N,3"}, ERR_SHAPE, "counts the batch"},
    {{"prelu", "per_channel=yes axis=2", "N,3"}, ERR_USAGE, "no axis"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("prelu", cases, COUNT(cases), more, COUNT(more));
}
