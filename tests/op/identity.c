/* identity.c -- tests of lib/op/identity.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"identity", "", "N,7", "N,7"},
    {"identity", "", "64*N,3", "64*N,3"},
    {"identity", "", "-", ""},
};

int main(void)
{
    return op_check_main("identity", cases, COUNT(cases), NULL, 0);
}
