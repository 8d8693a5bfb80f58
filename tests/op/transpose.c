/* transpose.c -- tests of lib/op/transpose.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"transpose", "perm=[0,2,1]", "N,3,4", "N,4,3"},
    {"transpose", "perm=[2,0,1]", "4*N,3,2", "2,4*N,3"},
    {"transpose", "perm=[3,1,0,2]", "N,3,4,2", "2,3,N,4"},
    {"transpose", "perm=[0,1]", "N,3", "N,3"},
};

static const struct op_bad bad[] = {
    {{"transpose", "perm=[0,1]", "N,3,2"}, ERR_USAGE, "[N,3,2]"},
    {{"transpose", "perm=[0,1,1]", "N,3,2"}, ERR_USAGE, "[N,3,2]"},
    {{"transpose", "perm=[0,1,3]", "N,3,2"}, ERR_USAGE, "[N,3,2]"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("transpose", cases, COUNT(cases), more, COUNT(more));
}
