/* padchannels.c -- tests of lib/op/padchannels.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"padchannels", "to=6", "N,2,3,2", "N,6,3,2"},
    {"padchannels", "to=5", "N,2,1,2", "N,5,1,2"},
    {"padchannels", "to=5 split=no", "N,2,1,2", "N,5,1,2"},
    {"padchannels", "to=2", "N,2,1,2", "N,2,1,2"},
};

static const struct op_bad bad[] = {
    {{"padchannels", "to=2", "N,3,2,2"}, ERR_SHAPE, "more than the 2"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("padchannels", cases, COUNT(cases), more, COUNT(more));
}
