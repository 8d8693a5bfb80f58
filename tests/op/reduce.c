/* reduce.c -- tests of lib/op/reduce.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"reduce", "axes=[2,3]", "N,2,3,4", "N,2,1,1"},
    {"reduce", "axes=1 kind=max", "N,3,2,2", "N,1,2,2"},
    {"reduce", "axes=[-2,-1] kind=sum keep=no", "N,2,3,2", "N,2"},
    {"reduce", "axes=1 kind=max keep=no", "N,5", "N"},
    {"reduce", "axes=[0,1]", "3,2", "1,1"},
    {"reduce", "axes=0 keep=no", "3", ""},
};

static const struct op_bad bad[] = {
    {{"reduce", "axes=0", "N,3"}, ERR_SHAPE, "counts the batch"},
    {{"reduce", "axes=[1,3]", "N,3,2,2"}, ERR_USAGE, "3 is no axis"},
    {{"reduce", "axes=[2,1]", "N,3,2,2"}, ERR_USAGE, "1 is no axis"},
    {{"reduce", "axes=4", "N,3,2,2"}, ERR_USAGE, "4 is no axis"},
    {{"reduce", "axes=[]", "N,3"}, ERR_USAGE, "has 0 numbers"},
    {{"reduce", "axes=1 kind=min", "N,3"}, ERR_USAGE, "mean, sum, max"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* Equal numbers share the gradient.  */
static void check_ties(void **state)
{
    static const struct op_case c = {"reduce", "axes=1 kind=max", "1,4"};
    struct trial t;

    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], (const double[]){1, 3, 3, 2});
    trial_put(&t.dout[0], (const double[]){4});
    trial_forward(&t);
    trial_backward(&t, 1);
    assert_true(trial_get(&t.out[0], 0) == 3);
    assert_true(trial_get(&t.din[0], 1) == 2 && trial_get(&t.din[0], 2) == 2);
    assert_true(trial_get(&t.din[0], 0) == 0 && trial_get(&t.din[0], 3) == 0);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_ties)};
    return op_check_main("reduce", cases, COUNT(cases), more, COUNT(more));
}
