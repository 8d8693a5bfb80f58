/* tanh.c -- tests of lib/op/tanh.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"tanh", "", "N,7", "N,7", 0, 4},
    {"tanh", "", "N,2,3,2", "N,2,3,2", 0, 3},
    {"tanh", "", "-", ""},
};

int main(void)
{
    return op_check_main("tanh", cases, COUNT(cases), NULL, 0);
}
