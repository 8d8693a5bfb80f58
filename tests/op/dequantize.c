/* dequantize.c -- tests of lib/op/dequantize.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"dequantize", "", "u8%256:N,3,2", "N,3,2", CASE_NO_DIFF},
    {"dequantize", "axis=0", "i8%128:4,3,2 4 i8%20:4", "4,3,2", CASE_NO_DIFF},
    {"dequantize", "axis=0", "i32%1000:4 4 i32%20:4", "4", CASE_NO_DIFF},
};

static const struct op_bad bad[] = {
    {{"dequantize", "", "N,3"}, ERR_SHAPE, "x is f32"},
    {{"dequantize", "", "u8:N,3 - i8:-"}, ERR_SHAPE, "zero_point is i8"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

static void check_known(void **state)
{
    const struct op_case c = {"dequantize", "axis=0", "i8:2,2 2 i8:2", NULL,
                              CASE_NO_DIFF};
    const double want[] = {-64.5, 63, 30, 0};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], (double[]){-128, 127, 13, 3});
    trial_put(&t.in[1], (double[]){.5, 3});
    trial_put(&t.in[2], (double[]){1, 3});
    trial_forward(&t);
    for (int64_t i = 0; i < 4; i++)
        assert_true(trial_get(&t.out[0], i) == want[i]);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_known)};
    return op_check_main("dequantize", cases, COUNT(cases), more, COUNT(more));
}
