/* elu.c -- tests of lib/op/elu.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"elu", "", "N,7", "N,7"},
    {"elu", "alpha=0.5", "N,2,3,2", "N,2,3,2", 0, 3},
    {"elu", "", "-", ""},
};

int main(void)
{
    return op_check_main("elu", cases, COUNT(cases), NULL, 0);
}
