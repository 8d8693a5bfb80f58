/* bnapply.c -- tests of lib/op/bnapply.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"bnapply", "", "N,3,5,4 3 3", "N,3,5,4"},
    {"bnapply", "affine=no", "3*N,4 4 4", "3*N,4"},
};

static const struct op_bad bad[] = {
    {{"bnapply", "", "N,3,2,2 3 4"}, ERR_SHAPE, "invstd [4] does not fit"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

static void check_known(void **state)
{
    const struct op_case c = {"bnapply", "", "N,2,1,1 2 2"};
    struct trial t;

    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], (double[]){1, 2, -4, 0});
    trial_put(&t.in[1], (double[]){-1, 1});
    trial_put(&t.in[2], (double[]){2, .5});
    trial_put(&t.in[3], (double[]){3, -4});
    trial_put(&t.in[4], (double[]){10, 20});
    trial_forward(&t);
    assert_true(trial_get(&t.out[0], 0) == 22);
    assert_true(trial_get(&t.out[0], 1) == 18);
    assert_true(trial_get(&t.out[0], 2) == -8);
    assert_true(trial_get(&t.out[0], 3) == 22);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_known)};
    return op_check_main("bnapply", cases, COUNT(cases), more, COUNT(more));
}
