/* mish.c -- tests of lib/op/mish.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"mish", "", "N,7", "N,7", 0, 4},
    {"mish", "", "N,2,3,2", "N,2,3,2", 0, 3},
    {"mish", "", "-", ""},
};

int main(void)
{
    return op_check_main("mish", cases, COUNT(cases), NULL, 0);
}
