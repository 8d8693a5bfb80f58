/* sgd.c -- tests of lib/op/sgd.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"
#include "../ref/optim_torch.h"

static const struct op_bad bad[] = {
    {{"sgd", "", "4 5 1 4"}, ERR_SHAPE, "grad [5] does not fit"},
    {{"sgd", "", "4 4 2 4"}, ERR_SHAPE, "lr [2]"},
    {{"sgd", "momentum=-1", "4 4 1 4"}, ERR_USAGE, "momentum = -1"},
    {{"sgd", "decay=-1", "4 4 1 4"}, ERR_USAGE, "decay = -1"},
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

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_torch),
                                      cmocka_unit_test(check_factor)};
    return op_check_main("sgd", NULL, 0, more, COUNT(more));
}
