/* allfinite.c -- tests of lib/op/allfinite.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

#include <math.h>

static const struct op_case cases[] = {
    {"allfinite", "", "3,2 5 1", "1"},
};

static void check_known(void **state)
{
    const struct op_case c = {"allfinite", "", "3 2"};
    const double bad[] = {INFINITY, -INFINITY, NAN};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_forward(&t);
    assert_true(trial_get(&t.out[0], 0) == 1);
    for (size_t i = 0; i < COUNT(bad); i++) {
        trial_set(&t.in[1], 1, bad[i]);
        trial_forward(&t);
        assert_true(trial_get(&t.out[0], 0) == 0);
    }
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_known)};
    return op_check_main("allfinite", cases, COUNT(cases), more, COUNT(more));
}
