/* onehot.c -- tests of lib/op/onehot.c.
 * SPDX-License-Identifier: MIT  */
#include <math.h>

#include "../op_check.h"

static const struct op_case cases[] = {
    {"onehot", "classes=5", "i64%5:N", "N,5", 0, 0, 7},
    {"onehot", "classes=1", "i64%1:N", "N,1"},
};

static const struct op_bad bad[] = {
    {{"onehot", "classes=5", "N"}, ERR_SHAPE, "not i64"},
    {{"onehot", "classes=5", "i64%5:N,2"}, ERR_SHAPE, "not i64 [N]"},
    {{"onehot", "classes=0", "i64%5:N"}, ERR_USAGE, "classes = 0"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* Padding, and numbers that are no class.  */
static void check_outside(void **state)
{
    static const struct op_case c = {"onehot", "classes=2", "i64%2:N", NULL,
                                     0,        0,           4};
    static const double x[] = {1, -1, 2, -2};
    static const double want[] = {0, 1, 0, 0};
    struct trial t;

    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], x);
    t.args.node = t.node;
    t.args.in = t.in;
    t.args.out = t.out;
    t.op->forward(&t.args);
    for (int i = 0; i < 8; i++)
        assert_true(i < 4 ? trial_get(&t.out[0], i) == want[i]
                          : isnan(trial_get(&t.out[0], i)));
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_outside)};
    return op_check_main("onehot", cases, COUNT(cases), more, COUNT(more));
}
