/* layernorm.c -- tests of lib/op/layernorm.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"layernorm", "", "N,4,5", "N,4,5"},
    {"layernorm", "axis=1 eps=1e-6", "N,3,2,2", "N,3,2,2"},
    {"layernorm", "affine=no", "N,6", "N,6"},
    {"layernorm", "", "5", "5"},
};

static const struct op_bad bad[] = {
    {{"layernorm", "axis=0", "N,3"}, ERR_SHAPE, "counts the batch"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad)};
    return op_check_main("layernorm", cases, COUNT(cases), more, COUNT(more));
}
