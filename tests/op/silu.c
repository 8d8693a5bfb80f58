/* silu.c -- tests of lib/op/silu.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"silu", "", "N,7", "N,7", 0, 4},
    {"silu", "", "N,2,3,2", "N,2,3,2", 0, 3},
    {"silu", "", "-", ""},
};

int main(void)
{
    return op_check_main("silu", cases, COUNT(cases), NULL, 0);
}
