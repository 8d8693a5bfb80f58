/* quantize.c -- tests of lib/op/quantize.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

#include <math.h>

static const struct op_case cases[] = {
    {"quantize", "", "N,3,2", "N,3,2", CASE_NO_DIFF},
    {"quantize", "dtype=i8", "N,3,2 3 i8%20:3", "N,3,2", CASE_NO_DIFF, 8},
    {"quantize", "dtype=i8 axis=0", "4,3,2 4 i8%20:4", "4,3,2", CASE_NO_DIFF},
    {"quantize", "", "N,3,2 1 u8%20:1", "N,3,2", CASE_NO_DIFF},
};

static const struct op_bad bad[] = {
    {{"quantize", "dtype=i4", "N,3"}, ERR_USAGE, "u8, i8"},
    {{"quantize", "", "N,3 4 u8:4"}, ERR_SHAPE, "scale [4]"},
    {{"quantize", "", "N,3 3 u8:1"}, ERR_SHAPE, "zero_point [1]"},
    {{"quantize", "", "N,3 - i8:-"}, ERR_SHAPE, "zero_point is i8, not u8"},
    {{"quantize", "axis=0", "N,3 2 u8:2"}, ERR_SHAPE, "scale [2]"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* Half to even, then saturation; backward passes what was not limited.  */
static void check_known(void **state)
{
    const struct op_case c = {"quantize", "", "8", NULL, CASE_NO_DIFF};
    const double x[] = {.25, .75, 1.25, -.25, 1000, -1000, NAN, 63.5};
    const double want[] = {10, 12, 12, 10, 255, 0, 10, 137};
    const double pass[] = {1, 1, 1, 1, 0, 0, 1, 1};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], x);
    trial_put(&t.in[1], (double[]){.5});
    trial_put(&t.in[2], (double[]){10});
    trial_forward(&t);
    trial_backward(&t, 1);
    for (int64_t i = 0; i < 8; i++) {
        assert_true(trial_get(&t.out[0], i) == want[i]);
        assert_true(trial_get(&t.din[0], i) ==
                    pass[i] * 2 * trial_get(&t.dout[0], i));
    }
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_known)};
    return op_check_main("quantize", cases, COUNT(cases), more, COUNT(more));
}
