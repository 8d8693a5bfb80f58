/* leakyrelu.c -- tests of lib/op/leakyrelu.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"leakyrelu", "", "N,7", "N,7"},
    {"leakyrelu", "slope=0.1", "N,2,3,2", "N,2,3,2"},
    {"leakyrelu", "slope=-0.5", "-", ""},
};

int main(void)
{
    return op_check_main("leakyrelu", cases, COUNT(cases), NULL, 0);
}
