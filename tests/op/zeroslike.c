/* zeroslike.c -- tests of lib/op/zeroslike.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"zeroslike", "", "N,3,2", "N,3,2"},
};

int main(void)
{
    return op_check_main("zeroslike", cases, COUNT(cases), NULL, 0);
}
