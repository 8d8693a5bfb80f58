/* bnstats.c -- tests of lib/op/bnstats.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

#include <math.h>

static const struct op_case cases[] = {
    {"bnstats", "", "N,3,5,4 3", "3 3"},
    {"bnstats", "eps=1e-3", "3*N,4 4", "4 4"},
    {"bnstats", "", "N,4,3 4", "4 4", 0, 20},
};

static const struct op_bad bad[] = {
    {{"bnstats", "", "N,3,2,2 4"}, ERR_SHAPE, "pivot [4] does not fit"},
    {{"bnstats", "eps=2", "N,3,2,2 3"}, ERR_USAGE, "eps = 2"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

static void check_known(void **state)
{
    const struct op_case c = {"bnstats", "eps=0", "N,2,2,1 2"};
    struct trial t;

    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], (double[]){1, 2, -4, 0, 3, 6, 8, 4});
    trial_forward(&t);
    assert_true(trial_get(&t.out[0], 0) == 3);
    assert_true(trial_get(&t.out[0], 1) == 2);
    assert_float_equal(trial_get(&t.out[1], 0), 1 / sqrt(3.5), 1e-7);
    assert_float_equal(trial_get(&t.out[1], 1), 1 / sqrt(20), 1e-7);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_known)};
    return op_check_main("bnstats", cases, COUNT(cases), more, COUNT(more));
}
