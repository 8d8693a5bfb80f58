/* globalavgpool.c -- tests of lib/op/globalavgpool.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"globalavgpool", "", "N,3,5,4", "N,3"},
    {"globalavgpool", "", "N,1,1,1", "N,1"},
    {"globalavgpool", "", "1,2,7,1", "1,2"},
};

int main(void)
{
    return op_check_main("globalavgpool", cases, COUNT(cases), NULL, 0);
}
