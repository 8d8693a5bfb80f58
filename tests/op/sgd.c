/* sgd.c -- tests of lib/op/sgd.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"
#include "../ref/optim_torch.h"

static const struct op_bad bad[] = {
    {{"sgd", "", "4 5 1 4"}, ERR_SHAPE, "grad [5] does not fit"},
    {{"sgd", "", "4 4 2 4"}, ERR_SHAPE, "lr [2]"},
    {{"sgd", "momentum=-1", "4 4 1 4"}, ERR_USAGE, "momentum = -1"},
    {{"sgd", "decay=-1", "4 4 1 4"}, ERR_USAGE, "decay = -1"},
    {{"sgd", "", "4 4 1 4 1"}, ERR_USAGE, "not to have input 'scale'"},
    {{"sgd", "scaled=yes", "4 4 1 4"}, ERR_USAGE, "needs input 'scale'"},
    {{"sgd", "scaled=yes", "4 4 1 4 2"}, ERR_SHAPE, "scale [2]"},
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
        op_check_optim("sgd", "5 5 1 5", &optim_ref[i]);
}

/* A parameter's own factor is a factor on the rate.  */
static void check_factor(void **state)
{
    const struct op_case plain = {"sgd", "", "5 5 1 5"};
    const struct op_case half = {"sgd", "lr_scale=0.5", "5 5 1 5"};
    struct trial a, b;
    (void)state;
    trial_init(&a, &plain, 0);
    trial_init(&b, &half, 0);
    trial_set(&a.in[2], 0, .5);
    trial_set(&b.in[2], 0, 1);
    trial_update(&a);
    trial_update(&b);
    trial_equal(&a, "half the rate", &a.in[0], &b.in[0], 0);
    trial_release(&a);
    trial_release(&b);
}

/* A gradient of so many times the loss.  */
static void check_scaled(void **state)
{
    const struct op_case plain = {"sgd", "decay=0.1", "5 5 1 5"};
    const struct op_case scaled = {"sgd", "decay=0.1 scaled=yes", "5 5 1 5 1"};
    struct trial a, b;
    (void)state;
    trial_init(&a, &plain, 0);
    trial_init(&b, &scaled, 0);
    trial_set(&b.in[4], 0, 64);
    for (int i = 0; i < 5; i++)
        trial_set(&b.in[1], i, 64 * trial_get(&a.in[1], i));
    trial_update(&a);
    trial_update(&b);
    trial_equal(&a, "of 64 times the loss", &a.in[0], &b.in[0], 0);
    trial_equal(&a, "its momentum", &a.in[3], &b.in[3], 0);
    trial_release(&a);
    trial_release(&b);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(check_bad), cmocka_unit_test(check_torch),
        cmocka_unit_test(check_factor), cmocka_unit_test(check_scaled)};
    return op_check_main("sgd", NULL, 0, more, COUNT(more));
}
