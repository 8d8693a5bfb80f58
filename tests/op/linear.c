/* linear.c -- tests of lib/op/linear.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"linear", "out=3", "N,5", "N,3"},
    {"linear", "out=4 bias=no", "N,3", "N,4"},
    {"linear", "out=2", "3*N,2,4", "3*N,2,2"},
    {"linear", "out=1", "4", "1"},
};

static const struct op_bad bad[] = {
    {{"linear", "out=0", "N,3"}, ERR_USAGE, "out = 0"},
    {{"linear", "out=3", "3,N"}, ERR_SHAPE, "features"},
    {{"linear", "out=3", "-"}, ERR_SHAPE, "features"},
    {{"linear", "out=3", "N,4 3,5"}, ERR_SHAPE, "weight [3,5] does not fit"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* A row with a single 1 takes a column of the weight: an embedding.  */
static void check_embedding(void **state)
{
    const struct op_case c = {"linear", "out=4 bias=no", "3,5"};
    const int64_t token[] = {4, 0, 2};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    for (int64_t i = 0; i < 15; i++)
        trial_set(&t.in[0], i, i % 5 == token[i / 5]);
    trial_forward(&t);
    for (int64_t i = 0; i < 12; i++)
        assert_true(trial_get(&t.out[0], i) ==
                    trial_get(&t.in[1], i % 4 * 5 + token[i / 4]));
    trial_release(&t);
}

/* 2 C - 1 flop an output, one more with a bias.  */
static void check_cost(void **state)
{
    const struct op_case c = {"linear", "out=10", "N,512"};
    (void)state;
    assert_int_equal(op_check_cost(&c).mac, 5120);
    assert_int_equal(op_check_cost(&c).flop, 10240);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_embedding),
                                      cmocka_unit_test(check_cost)};
    return op_check_main("linear", cases, COUNT(cases), more, COUNT(more));
}
