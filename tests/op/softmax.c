/* softmax.c -- tests of lib/op/softmax.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"softmax", "", "N,7", "N,7", 0, 4},
    {"softmax", "axis=1", "N,3,4", "N,3,4", 0, 4},
    {"softmax", "axis=0", "3,2*N,2", "3,2*N,2"},
    {"softmax", "axis=-2", "N,3,1", "N,3,1"},
    {"softmax", "", "N,1", "N,1"},
};

int main(void)
{
    return op_check_main("softmax", cases, COUNT(cases), NULL, 0);
}
