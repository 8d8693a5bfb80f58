/* windowpartition.c -- tests of lib/op/windowpartition.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"windowpartition", "grid=[4,6] size=2", "N,24,3", "6*N,4,3"},
    {"windowpartition", "grid=[4,4] size=2 shift=1", "N,16,2", "4*N,4,2"},
    {"windowpartition", "grid=[5,3] size=3 shift=2", "N,15,1", "2*N,9,1"},
    {"windowpartition", "grid=[1,2] size=3", "N,2,2", "N,9,2"},
    {"windowpartition", "grid=[2,2] size=1", "N,4,2", "4*N,1,2"},
};

static const struct op_bad bad[] = {
    {{"windowpartition", "grid=[4,4] size=2", "N,15,2"},
     ERR_SHAPE,
     "[N,15,2] does not have 4 x 4 tokens"},
    {{"windowpartition", "grid=[4,4] size=2", "N,16"}, ERR_SHAPE, "[N,16]"},
    {{"windowpartition", "grid=4 size=2", "N,4,2"}, ERR_USAGE, "1 sizes"},
    {{"windowpartition", "grid=[0,4] size=2", "N,4,2"}, ERR_USAGE, "no size"},
    {{"windowpartition", "grid=[2,2] size=0", "N,4,2"}, ERR_USAGE, "size = 0"},
    {{"windowpartition", "grid=[2,2] size=2 shift=2", "N,4,2"},
     ERR_USAGE,
     "shift = 2"},
    {{"windowpartition", "grid=[1,1] size=1024", "N,1,999999999999"},
     ERR_SHAPE,
     "too"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* A picture of 3 x 3 in windows of 2, moved by one: what is filled up comes
 * before what wraps around.  */
static void check_places(void **state)
{
    const struct op_case c = {
        "windowpartition", "grid=[3,3] size=2 shift=1", "N,9,1", NULL, 0, 1, 1};
    static const double x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const double want[] = {5, 6, 8, 9, 0, 4, 0, 7,
                                  0, 0, 2, 3, 0, 0, 0, 1};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], x);
    trial_forward(&t);
    for (int64_t i = 0; i < 16; i++)
        assert_true(trial_get(&t.out[0], i) == want[i]);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_places)};
    return op_check_main("windowpartition", cases, COUNT(cases), more,
                         COUNT(more));
}
