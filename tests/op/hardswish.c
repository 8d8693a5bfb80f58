/* hardswish.c -- tests of lib/op/hardswish.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"hardswish", "", "N,7", "N,7", 0, 4},
    {"hardswish", "", "N,2,3,2", "N,2,3,2", 0, 3},
    {"hardswish", "", "-", ""},
};

int main(void)
{
    return op_check_main("hardswish", cases, COUNT(cases), NULL, 0);
}
