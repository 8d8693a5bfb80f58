/* max.c -- tests of lib/op/max.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"max", "", "N,3,2 N,3,2", "N,3,2"},
    {"max", "", "N,3,2,2 N,3,1,1", "N,3,2,2"},
    {"max", "", "N,3 1,3 N,1", "N,3"},
    {"max", "", "N,3", "N,3"},
};

static const struct op_bad bad[] = {
    {{"max", "", "N,3 N,4"}, ERR_SHAPE, "do not fit"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* Equal ones share the gradient.  */
static void check_equal(void **state)
{
    static const struct op_case c = {"max", "", "2 2", "2"};
    static const double x[] = {1, 2}, y[] = {1, 3}, dy[] = {4, 8};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], x);
    trial_put(&t.in[1], y);
    trial_put(&t.dout[0], dy);
    trial_forward(&t);
    trial_backward(&t, 3);
    assert_true(trial_get(&t.out[0], 0) == 1 && trial_get(&t.out[0], 1) == 3);
    assert_true(trial_get(&t.din[0], 0) == 2 && trial_get(&t.din[1], 0) == 2);
    assert_true(trial_get(&t.din[0], 1) == 0 && trial_get(&t.din[1], 1) == 8);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_equal)};
    return op_check_main("max", cases, COUNT(cases), more, COUNT(more));
}
