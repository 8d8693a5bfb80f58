/* matmul.c -- tests of lib/op/matmul.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"matmul", "", "N,3,4 N,4,2", "N,3,2"},
    {"matmul", "", "N,3 3,4", "N,4"},
    {"matmul", "", "N,3,4 4,2", "N,3,2"},
    {"matmul", "", "2,3 N,3,2", "N,2,2"},
    {"matmul", "", "N,1,2,3 1,2,3,2", "N,2,2,2"},
    {"matmul", "", "N,3 3,N", "N,N"},
};

static const struct op_bad bad[] = {
    {{"matmul", "", "N,3 2,3"}, ERR_SHAPE, "[N,3] and [2,3] do not fit"},
    {{"matmul", "", "3 3,2"}, ERR_SHAPE, "do not fit"},
    {{"matmul", "", "2,N N,2"}, ERR_SHAPE, "do not fit"},
    {{"matmul", "", "3,2,2 2,2,2"}, ERR_SHAPE, "do not fit"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("matmul", cases, COUNT(cases), more, COUNT(more));
}
