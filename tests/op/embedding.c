/* embedding.c -- tests of lib/op/embedding.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"embedding", "rows=5 dim=3", "i64%5:N,4", "N,4,3"},
    {"embedding", "rows=3 dim=2", "i64%7:N", "N,2"},
    {"embedding", "rows=3 dim=2", "i64%3:-", "2"},
};

static const struct op_bad bad[] = {
    {{"embedding", "rows=5 dim=3", "N,4"}, ERR_SHAPE, "not i64"},
    {{"embedding", "rows=0 dim=3", "i64%5:N,4"}, ERR_USAGE, "rows = 0"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("embedding", cases, COUNT(cases), more, COUNT(more));
}
