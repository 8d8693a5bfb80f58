/* gradnorm.c -- tests of lib/op/gradnorm.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"gradnorm", "", "3,2 5 1", "1"},
    {"gradnorm", "", "9000", "1"},
};

static void check_known(void **state)
{
    const struct op_case c = {"gradnorm", "", "2 1,1"};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], (double[]){2, -3});
    trial_put(&t.in[1], (double[]){6});
    trial_forward(&t);
    assert_true(trial_get(&t.out[0], 0) == 7);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_known)};
    return op_check_main("gradnorm", cases, COUNT(cases), more, COUNT(more));
}
