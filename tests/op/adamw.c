/* adamw.c -- tests of lib/op/adamw.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"
#include "../ref/optim_torch.h"

static const struct op_bad bad[] = {
    {{"adamw", "", "4 4 1 4 4 2"}, ERR_SHAPE, "t [2]"},
    {{"adamw", "", "4 4 1 4 3 1"}, ERR_SHAPE, "v [3]"},
    {{"adamw", "beta1=2", "4 4 1 4 4 1"}, ERR_USAGE, "beta1 = 2"},
    {{"adamw", "scaled=yes", "4 4 1 4 4 1"}, ERR_USAGE, "needs input 'scale'"},
    {{"adamw", "scaled=yes", "4 4 1 4 4 1 3"}, ERR_SHAPE, "scale [3]"},
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

/* A gradient of so many times the loss.  */
static void check_scaled(void **state)
{
    const struct op_case plain = {"adamw", "", "5 5 1 5 5 1"};
    const struct op_case scaled = {"adamw", "scaled=yes", "5 5 1 5 5 1 1"};
    struct trial a, b;
    (void)state;
    trial_init(&a, &plain, 0);
    trial_init(&b, &scaled, 0);
    trial_set(&b.in[6], 0, 64);
    for (int i = 0; i < 5; i++)
        trial_set(&b.in[1], i, 64 * trial_get(&a.in[1], i));
    trial_update(&a);
    trial_update(&b);
    trial_equal(&a, "of 64 times the loss", &a.in[0], &b.in[0], 0);
    trial_equal(&a, "its second moment", &a.in[4], &b.in[4], 0);
    trial_release(&a);
    trial_release(&b);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_torch),
                                      cmocka_unit_test(check_scaled)};
    return op_check_main("adamw", NULL, 0, more, COUNT(more));
}
