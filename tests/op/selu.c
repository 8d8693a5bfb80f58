/* selu.c -- tests of lib/op/selu.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"selu", "", "N,7", "N,7"},
    {"selu", "", "N,2,3,2", "N,2,3,2", 0, 3},
    {"selu", "", "-", ""},
};

int main(void)
{
    return op_check_main("selu", cases, COUNT(cases), NULL, 0);
}
