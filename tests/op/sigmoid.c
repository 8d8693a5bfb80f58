/* sigmoid.c -- tests of lib/op/sigmoid.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"sigmoid", "", "N,7", "N,7", 0, 4},
    {"sigmoid", "", "N,2,3,2", "N,2,3,2", 0, 3},
    {"sigmoid", "", "-", ""},
};

int main(void)
{
    return op_check_main("sigmoid", cases, COUNT(cases), NULL, 0);
}
