/* channelshuffle.c -- tests of lib/op/channelshuffle.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"channelshuffle", "groups=3", "N,6,2", "N,6,2"},
    {"channelshuffle", "groups=2", "N,8,2,3", "N,8,2,3"},
    {"channelshuffle", "groups=1", "N,4", "N,4"},
    {"channelshuffle", "groups=4", "N,4", "N,4"},
};

static const struct op_bad bad[] = {
    {{"channelshuffle", "groups=3", "N,4"}, ERR_SHAPE, "3 groups"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

static void check_known(void **state)
{
    const struct op_case c = {"channelshuffle", "groups=3", "1,9"};
    const double want[] = {0, 3, 6, 1, 4, 7, 2, 5, 8};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    for (int64_t i = 0; i < 9; i++)
        trial_set(&t.in[0], i, (double)i);
    trial_forward(&t);
    for (int64_t i = 0; i < 9; i++)
        assert_true(trial_get(&t.out[0], i) == want[i]);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_known)};
    return op_check_main("channelshuffle", cases, COUNT(cases), more,
                         COUNT(more));
}
