/* sqrt.c -- tests of lib/op/sqrt.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"sqrt", "", "N,7", "N,7", CASE_POSITIVE},
    {"sqrt", "", "N,2,3,2", "N,2,3,2", CASE_POSITIVE},
    {"sqrt", "", "-", "", CASE_POSITIVE},
};

int main(void)
{
    return op_check_main("sqrt", cases, COUNT(cases), NULL, 0);
}
