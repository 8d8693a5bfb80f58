/* ema.c -- tests of lib/op/ema.c.
 * SPDX-License-Identifier: MIT  */
#include <math.h>

#include "../op_check.h"

static const struct op_bad bad[] = {
    {{"ema", "", "4 5 1"}, ERR_SHAPE, "x [5] does not fit"},
    {{"ema", "", "4 4 2"}, ERR_SHAPE, "share [2]"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* Ten steps beside a weighted sum in double: what was there has the weight
 * 0.9^10, the value of step s 0.1 0.9^(9 - s).  */
static void check_steps(void **state)
{
    enum { STEPS = 10, COUNT_X = 35 };
    const struct op_case c = {"ema", "", "5,7 5,7 1"};
    double want[COUNT_X];
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    for (int i = 0; i < COUNT_X; i++)
        want[i] = trial_get(&t.in[0], i);
    trial_set(&t.in[2], 0, .1);
    for (int s = 0; s < STEPS; s++) {
        for (int i = 0; i < COUNT_X; i++) {
            trial_set(&t.in[1], i, op_fill(i, 1 + s));
            want[i] = .9 * want[i] + .1 * op_fill(i, 1 + s);
        }
        trial_update(&t);
    }
    for (int i = 0; i < COUNT_X; i++)
        assert_true(fabs(trial_get(&t.in[0], i) - want[i]) <=
                    op_tolerance(STEPS, 2));
    trial_release(&t);
}

/* A share of 1 takes the value, one of 0 leaves the average, to the bit.  */
static void check_ends(void **state)
{
    const struct op_case c = {"ema", "", "9 9 1"};
    struct trial t, was;
    (void)state;
    trial_init(&t, &c, 0);
    trial_init(&was, &c, 0);
    trial_set(&t.in[2], 0, 0);
    trial_update(&t);
    trial_equal(&t, "share 0", &t.in[0], &was.in[0], 0);
    trial_set(&t.in[2], 0, 1);
    trial_update(&t);
    trial_equal(&t, "share 1", &t.in[0], &was.in[1], op_tolerance(1, 2));
    trial_release(&t);
    trial_release(&was);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_steps),
                                      cmocka_unit_test(check_ends)};
    return op_check_main("ema", NULL, 0, more, COUNT(more));
}
