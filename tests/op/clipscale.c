/* clipscale.c -- tests of lib/op/clipscale.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"clipscale", "max_norm=0.25", "3,2 1", "3,2"},
    {"clipscale", "max_norm=100", "3,2 1", "3,2"},
    {"clipscale", "max_norm=0.25 scaled=yes", "3,2 1 1", "3,2"},
};

static const struct op_bad bad[] = {
    {{"clipscale", "max_norm=1", "4 2"}, ERR_SHAPE, "norm [2]"},
    {{"clipscale", "", "4 1"}, ERR_USAGE, "max_norm"},
    {{"clipscale", "max_norm=1 scaled=yes", "4 1"}, ERR_USAGE, "needs input"},
    {{"clipscale", "max_norm=1 scaled=yes", "4 1 2"}, ERR_SHAPE, "scale [2]"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* Longer than allowed: shortened; shorter: not touched.  */
static void check_known(void **state)
{
    const struct op_case c = {"clipscale", "max_norm=2", "2 1"};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], (double[]){6, -8});
    trial_put(&t.in[1], (double[]){10});
    trial_forward(&t);
    assert_float_equal(trial_get(&t.out[0], 0), 1.2, 1e-6);
    assert_float_equal(trial_get(&t.out[0], 1), -1.6, 1e-6);
    trial_put(&t.in[1], (double[]){1.5});
    trial_forward(&t);
    assert_true(trial_get(&t.out[0], 0) == 6);
    trial_release(&t);
}

/* Of 4 times the loss: x and its length are a fourth.  */
static void check_scaled(void **state)
{
    const struct op_case c = {"clipscale", "max_norm=2 scaled=yes", "2 1 1"};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], (double[]){24, -32});
    trial_put(&t.in[1], (double[]){40});
    trial_put(&t.in[2], (double[]){4});
    trial_forward(&t);
    assert_float_equal(trial_get(&t.out[0], 0), 1.2, 1e-6);
    assert_float_equal(trial_get(&t.out[0], 1), -1.6, 1e-6);
    trial_put(&t.in[1], (double[]){6});
    trial_forward(&t);
    assert_true(trial_get(&t.out[0], 0) == 6);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_known),
                                      cmocka_unit_test(check_scaled)};
    return op_check_main("clipscale", cases, COUNT(cases), more, COUNT(more));
}
