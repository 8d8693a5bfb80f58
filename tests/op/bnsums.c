/* bnsums.c -- tests of lib/op/bnsums.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

static const struct op_case cases[] = {
    {"bnsums", "", "N,3,5,4 3 3 N,3,5,4 3 3", "3 3"},
    {"bnsums", "affine=no", "3*N,4 4 4 3*N,4", "4 4"},
};

static const struct op_bad bad[] = {
    {{"bnsums", "affine=no", "N,3,2,2 3 3 N,3,2,1"},
     ERR_SHAPE,
     "dy [N,3,2,1] does not"},
    {{"bnsums", "affine=no", "N,3,2,2 4 3 N,3,2,2"},
     ERR_SHAPE,
     "mean [4] does not fit"},
    {{"bnsums", "", "N,3,2,2 3 3 N,3,2,2 3 2"},
     ERR_SHAPE,
     "bias [2] does not fit"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

static void check_known(void **state)
{
    const struct op_case c = {"bnsums", "affine=no", "N,1,2,1 1 1 N,1,2,1"};
    struct trial t;

    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], (double[]){1, 2, 3, 6});
    trial_put(&t.in[1], (double[]){3});
    trial_put(&t.in[2], (double[]){.5});
    trial_put(&t.in[3], (double[]){1, -1, 2, 4});
    trial_forward(&t);
    assert_true(trial_get(&t.out[0], 0) == 6);
    assert_true(trial_get(&t.out[1], 0) == 5.5);
    trial_release(&t);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(check_bad),
                                      cmocka_unit_test(check_known)};
    return op_check_main("bnsums", cases, COUNT(cases), more, COUNT(more));
}
