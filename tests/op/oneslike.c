/* oneslike.c -- tests of lib/op/oneslike.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"oneslike", "", "N,3,2", "N,3,2"},
};

int main(void)
{
    return op_check_main("oneslike", cases, COUNT(cases), NULL, 0);
}
