/* log.c -- tests of lib/op/log.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"log", "", "N,7", "N,7", CASE_POSITIVE},
    {"log", "", "N,2,3,2", "N,2,3,2", CASE_POSITIVE},
    {"log", "", "-", "", CASE_POSITIVE},
};

int main(void)
{
    return op_check_main("log", cases, COUNT(cases), NULL, 0);
}
