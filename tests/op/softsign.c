/* softsign.c -- tests of lib/op/softsign.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"softsign", "", "N,7", "N,7"},
    {"softsign", "", "N,2,3,2", "N,2,3,2", 0, 3},
    {"softsign", "", "-", ""},
};

int main(void)
{
    return op_check_main("softsign", cases, COUNT(cases), NULL, 0);
}
