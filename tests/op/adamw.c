/* adamw.c -- tests of lib/op/adamw.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"
#include "../ref/optim_torch.h"

static const struct op_bad bad[] = {
    {{"adamw", "", "4 4 1 4 4 2"}, ERR_SHAPE, "t [2]"},
    {{"adamw", "", "4 4 1 4 3 1"}, ERR_SHAPE, "v [3]"},
    {{"adamw", "beta1=2", "4 4 1 4 4 1"}, ERR_USAGE, "beta1 = 2"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

static void check_torch(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(optim_ref); i++)
        op_check_optim("adamw", "5 5 1 5 5 1", &optim_ref[i]);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_torch)};
    return op_check_main("adamw", NULL, 0, more, COUNT(more));
}
