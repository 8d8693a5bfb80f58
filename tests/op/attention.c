/* attention.c -- tests of lib/op/attention.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"attention", "heads=1", "N,4,9", "N,4,3"},
    {"attention", "heads=2", "N,3,12", "N,3,4", 0, 2},
    {"attention", "heads=3", "N,1,9", "N,1,3"},
    {"attention", "heads=2 bias=yes", "N,3,12 1,2,3,3", "N,3,4"},
    {"attention", "heads=1 bias=yes", "2*N,2,3 2,1,2,2", "2*N,2,1"},
    {"attention", "heads=1 bias=yes", "6,2,3 3,1,2,2", "6,2,1"},
};

static const struct op_bad bad[] = {
    {{"attention", "heads=2", "N,4,8"}, ERR_SHAPE, "three times a multiple"},
    {{"attention", "heads=2", "N,4,9"}, ERR_SHAPE, "of 2 heads"},
    {{"attention", "heads=0", "N,4,9"}, ERR_USAGE, "heads = 0"},
    {{"attention", "heads=1", "N,9"}, ERR_SHAPE, "[N,9]"},
    {{"attention", "heads=1 bias=yes", "N,3,9"}, ERR_USAGE, "input 'bias'"},
    {{"attention", "heads=1", "N,3,9 1,1,3,3"}, ERR_USAGE, "is not to have"},
    {{"attention", "heads=1 bias=yes", "N,3,9 1,1,3,2"},
     ERR_SHAPE,
     "[G,1,3,3]"},
    {{"attention", "heads=1 bias=yes", "4*N,3,9 3,1,3,3"},
     ERR_SHAPE,
     "does not fit"},
    {{"attention", "heads=1 bias=yes", "N,3,9 N,1,3,3"},
     ERR_SHAPE,
     "does not fit"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* Scores too large for an exponential: the likest token alone counts.  */
static void check_large(void **state)
{
    const struct op_case c = {"attention", "heads=1", "1,3,6", NULL, 0, 1, 1};
    static const double x[] = {0,    1000, 1000, 0,    1, 2, /* q k v */
                               1000, 0,    0,    1000, 3, 4,
                               0,    2000, 500,  500,  5, 6};
    static const double want[] = {3, 4, 1, 2, 3, 4};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], x);
    trial_forward(&t);
    for (int64_t i = 0; i < 6; i++)
        assert_true(trial_get(&t.out[0], i) == want[i]);
    trial_release(&t);
}

/* 197 tokens of 768: ViT-B/16.  */
static void check_cost(void **state)
{
    const struct op_case c = {"attention", "heads=12", "N,197,2304"};
    (void)state;
    assert_int_equal(op_check_cost(&c).mac, 2 * 197 * 197 * 768);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_large),
                                      cmocka_unit_test(check_cost)};
    return op_check_main("attention", cases, COUNT(cases), more, COUNT(more));
}
