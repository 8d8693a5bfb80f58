/* ema.c -- tests of lib/op/ema.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_bad bad[] = {
    {{"ema", "", "4 1 5"}, ERR_SHAPE, "average [5] does not fit"},
    {{"ema", "", "4 2 4"}, ERR_SHAPE, "decay [2]"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

static void check_known(void **state)
{
    const struct op_case c = {"ema", "", "2 1 2"};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], (double[]){4, -8});
    trial_put(&t.in[1], (double[]){.75});
    trial_put(&t.in[2], (double[]){0, 16});
    trial_update(&t);
    assert_true(trial_get(&t.in[2], 0) == 1);
    assert_true(trial_get(&t.in[2], 1) == 10);
    assert_true(trial_get(&t.in[0], 0) == 4);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_known)};
    return op_check_main("ema", NULL, 0, more, COUNT(more));
}
