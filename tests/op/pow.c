/* pow.c -- tests of lib/op/pow.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"pow", "exponent=0.5", "N,7", "N,7", CASE_POSITIVE},
    {"pow", "exponent=-1.5", "N,2,3,2", "N,2,3,2", CASE_POSITIVE},
    {"pow", "exponent=4", "N,7", "N,7"},
    {"pow", "exponent=3", "N,7", "N,7"},
    {"pow", "exponent=-1", "-", "", CASE_POSITIVE},
    {"pow", "exponent=0", "N,3", "N,3"},
};

int main(void)
{
    return op_check_main("pow", cases, COUNT(cases), NULL, 0);
}
