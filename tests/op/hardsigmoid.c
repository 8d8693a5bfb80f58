/* hardsigmoid.c -- tests of lib/op/hardsigmoid.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"hardsigmoid", "", "N,7", "N,7", 0, 4},
    {"hardsigmoid", "alpha=0.2 beta=0.5", "N,7", "N,7", 0, 4},
};

int main(void)
{
    return op_check_main("hardsigmoid", cases, COUNT(cases), NULL, 0);
}
