/* mix.c -- tests of lib/op/mix.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"mix", "", "N,5 i64%3:N N", "N,5", 0, 0, 4},
    {"mix", "", "N,2,3,4 i64%3:N N", "N,2,3,4", 0, 0, 3},
    {"mix", "box=yes", "N,2,3,5 i64%3:N N i64%6:N,4", "N,2,3,5", 0, 0, 4},
    {"mix", "box=yes", "N,1,4,3 i64%2:N N i64%5:N,4", "N,1,4,3", 0, 0, 7},
};

static const struct op_bad bad[] = {
    {{"mix", "", "N,5 N N"}, ERR_SHAPE, "operand pair is f32"},
    {{"mix", "", "N,5 i64%3:N N,2"}, ERR_SHAPE, "operand share is f32"},
    {{"mix", "box=yes", "N,5 i64%3:N N i64%6:N,4"}, ERR_SHAPE, ""},
    {{"mix", "box=yes", "N,1,2,2 i64%3:N N i64%6:N,3"}, ERR_SHAPE, "box"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* All of the sample itself, all of the other, and a box.  */
static void check_values(void **state)
{
    static const struct op_case c = {
        "mix", "box=yes", "N,1,2,2 i64%3:N N i64%6:N,4", NULL, 0, 0, 3};
    static const double x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const double pair[] = {1, 2, -1}, share[] = {0.25, 0, 0.5};
    static const double box[] = {0, 0, 2, 2, 1, 0, 9, 1, 0, 0, 2, 2};
    static const double want[] = {4, 5, 6, 7, 5, 6, 11, 8, 9, 10, 11, 12};
    struct trial t;

    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], x);
    trial_put(&t.in[1], pair);
    trial_put(&t.in[2], share);
    trial_put(&t.in[3], box);
    trial_forward(&t);
    for (int i = 0; i < 12; i++)
        assert_true(trial_get(&t.out[0], i) == want[i]);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_values)};
    return op_check_main("mix", cases, COUNT(cases), more, COUNT(more));
}
