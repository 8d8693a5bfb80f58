/* erf.c -- tests of lib/op/erf.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"erf", "", "N,7", "N,7", 0, 2},
    {"erf", "", "N,2,3,2", "N,2,3,2"},
    {"erf", "", "-", ""},
};

int main(void)
{
    return op_check_main("erf", cases, COUNT(cases), NULL, 0);
}
