/* exp.c -- tests of lib/op/exp.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"exp", "", "N,7", "N,7", 0, 2},
    {"exp", "", "N,2,3,2", "N,2,3,2"},
    {"exp", "", "-", ""},
};

int main(void)
{
    return op_check_main("exp", cases, COUNT(cases), NULL, 0);
}
