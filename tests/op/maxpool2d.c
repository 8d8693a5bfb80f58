/* maxpool2d.c -- tests of lib/op/maxpool2d.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

#include <math.h>

static const struct op_case cases[] = {
    {"maxpool2d", "kernel=3 stride=2 pad=1", "N,2,5,4", "N,2,3,2"},
    {"maxpool2d", "kernel=2", "N,2,5,4", "N,2,2,2"},
    {"maxpool2d", "kernel=2 ceil_mode=yes", "N,2,5,4", "N,2,3,2"},
    {"maxpool2d", "kernel=[1,3] stride=1 pad=[0,1]", "N,1,2,4", "N,1,2,4"},
    {"maxpool2d", "kernel=3 stride=1 pad=[1,0,0,1]", "N,1,4,4", "N,1,3,3"},
    {"maxpool2d", "kernel=1 stride=3", "N,1,7,4", "N,1,3,2"},
};

static const struct op_bad bad[] = {
    {{"maxpool2d", "kernel=3 pad=2", "N,3,4,4"}, ERR_USAGE, "half"},
    {{"maxpool2d", "kernel=5", "N,3,4,4"}, ERR_SHAPE, "[N,3,4,4]"},
    {{"maxpool2d", "", "N,3,4,4"}, ERR_USAGE, "kernel"},
    {{"maxpool2d", "kernel=1", "N,1,70000,70000"}, ERR_SHAPE, "too large"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* Of equals the first wins; all-negative windows at the border do not take
 * the padding's zero; a NaN is kept.  */
static void check_rules(void **state)
{
    const struct op_case c = {"maxpool2d", "kernel=2 stride=2 pad=1",
                              "1,1,2,2"};
    const struct op_case one = {"maxpool2d", "kernel=2", "1,1,2,2"};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], (double[]){-1, -2, -3, -4});
    trial_forward(&t);
    for (int64_t i = 0; i < 4; i++)
        assert_true(trial_get(&t.out[0], i) == -1 - (double)i);
    trial_release(&t);
    trial_init(&t, &one, 0);
    trial_put(&t.in[0], (double[]){1, 3, 3, 2});
    trial_forward(&t);
    assert_int_equal(trial_get(&t.out[1], 0), 1);
    trial_backward(&t, 1);
    for (int64_t i = 0; i < 4; i++)
        assert_true(trial_get(&t.din[0], i) ==
                    (i == 1 ? trial_get(&t.dout[0], 0) : 0));
    trial_set(&t.in[0], 2, NAN);
    t.args.node = t.node;
    t.args.in = t.in;
    t.op->forward(&t.args);
    assert_true(isnan(trial_get(&t.out[0], 0)));
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_rules)};
    return op_check_main("maxpool2d", cases, COUNT(cases), more, COUNT(more));
}
