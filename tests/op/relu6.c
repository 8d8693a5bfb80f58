/* relu6.c -- tests of lib/op/relu6.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"relu6", "", "N,7", "N,7", 0, 4},
    {"relu6", "", "2*N,3,4", "2*N,3,4", 0, 4},
};

int main(void)
{
    return op_check_main("relu6", cases, COUNT(cases), NULL, 0);
}
