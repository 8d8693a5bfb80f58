/* bngrad.c -- tests of lib/op/bngrad.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"bngrad", "", "N,3,5,4 3 3 3 3 3 N,3,5,4", "N,3,5,4"},
    {"bngrad", "", "3*N,4 4 4 4 4 4 3*N,4", "3*N,4"},
};

static const struct op_bad bad[] = {
    {{"bngrad", "", "N,3,2,2 3 3 3 3 3 N,3,2,1"}, ERR_SHAPE, "dy [N,3,2,1]"},
    {{"bngrad", "", "N,3,2,2 3 3 3 4 3 N,3,2,2"}, ERR_SHAPE, "dbias [4] does"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* Against batchnorm2d's own gradient: x 1 3, mean 2, invstd 1, dy 4 10.  */
static void check_known(void **state)
{
    const struct op_case c = {"bngrad", "", "N,1,1,1 1 1 1 1 1 N,1,1,1"};
    struct trial t;

    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], (double[]){1, 3});
    trial_put(&t.in[1], (double[]){2});
    trial_put(&t.in[2], (double[]){1});
    trial_put(&t.in[3], (double[]){3});
    trial_put(&t.in[4], (double[]){12});
    trial_put(&t.in[5], (double[]){2});
    trial_put(&t.in[6], (double[]){4, 10});
    trial_forward(&t);
    assert_true(trial_get(&t.out[0], 0) == 3 * (4 - 6 + 1));
    assert_true(trial_get(&t.out[0], 1) == 3 * (10 - 6 - 1));
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_known)};
    return op_check_main("bngrad", cases, COUNT(cases), more, COUNT(more));
}
