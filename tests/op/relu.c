/* relu.c -- tests of lib/op/relu.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"relu", "", "N,7", "N,7"},
    {"relu", "", "3", "3"},
    {"relu", "", "N,2,3,5", "N,2,3,5"},
};

int main(void)
{
    return op_check_main("relu", cases, COUNT(cases), NULL, 0);
}
