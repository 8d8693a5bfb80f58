/* batchnorm2d.c -- tests of lib/op/batchnorm2d.c.
 * SPDX-License-Identifier: MIT  */
#include "../op_check.h"

#include <math.h>

static const struct op_case cases[] = {
    {"batchnorm2d", "", "N,3,5,4", "N,3,5,4", CASE_TRAIN},
    {"batchnorm2d", "", "N,3,5,4", "N,3,5,4"},
    {"batchnorm2d", "affine=no", "N,3,2,2", "N,3,2,2", CASE_TRAIN},
    {"batchnorm2d", "affine=no eps=1e-3", "N,3,2,2", "N,3,2,2"},
    {"batchnorm2d", "", "3*N,4", "3*N,4", CASE_TRAIN},
    {"batchnorm2d", "", "N,4,3", "N,4,3", CASE_TRAIN, 20},
    {"batchnorm2d", "", "N,2,1,1", "N,2,1,1", CASE_TRAIN, 1, 1},
};

static const struct op_bad bad[] = {
    {{"batchnorm2d", "", "N"}, ERR_SHAPE, "[N]"},
    {{"batchnorm2d", "", "N,3,2,2 4"}, ERR_SHAPE, "weight [4] does not fit"},
    {{"batchnorm2d", "eps=-1", "N,3,2,2"}, ERR_USAGE, "eps = -1"},
};

static void check_bad(void **state)
{
    (void)state;
    op_check_refused(bad, COUNT(bad));
}

/* What torch makes of the running statistics: unbiased variance, a share of
 * momentum for the new batch.  */
static void check_update(void **state)
{
    const struct op_case c = {"batchnorm2d", "momentum=0.25", "N,2,2,1", NULL,
                              CASE_TRAIN};
    const double x[] = {1, 2, -4, 0, 3, 6, 8, 4};
    const double mean[] = {1, -1}, var[] = {1, 2};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    trial_put(&t.in[0], x);
    trial_put(&t.in[3], mean);
    trial_put(&t.in[4], var);
    trial_forward(&t);
    assert_true(trial_get(&t.in[3], 0) == 1); /* forward moves nothing */
    trial_update(&t);
    /* channel 0: 1 2 3 6, channel 1: -4 0 8 4 */
    assert_float_equal(trial_get(&t.in[3], 0), .75 * 1 + .25 * 3, 1e-6);
    assert_float_equal(trial_get(&t.in[3], 1), .75 * -1 + .25 * 2, 1e-6);
    assert_float_equal(trial_get(&t.in[4], 0), .75 * 1 + .25 * 14 / 3, 1e-6);
    assert_float_equal(trial_get(&t.in[4], 1), .75 * 2 + .25 * 80 / 3, 1e-5);
    trial_release(&t);
}

/* One element per channel: the variance is 0, not 0 / 0.  */
static void check_single(void **state)
{
    const struct op_case c = {"batchnorm2d", "", "N,2,1,1", NULL,
                              CASE_TRAIN,    1,  1};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    const double var = trial_get(&t.in[4], 0);
    trial_forward(&t);
    trial_update(&t);
    assert_float_equal(trial_get(&t.in[4], 0), .9 * var, 1e-6);
    trial_release(&t);
}

/* Evaluating changes no running statistics.  */
static void check_still(void **state)
{
    const struct op_case c = {"batchnorm2d", "", "N,2,3,1"};
    struct trial t;
    (void)state;
    trial_init(&t, &c, 0);
    const double mean = trial_get(&t.in[3], 1);
    trial_forward(&t);
    trial_update(&t);
    assert_true(trial_get(&t.in[3], 1) == mean);
    trial_release(&t);
}

/* A mean of 10^4 with a spread of 1: one pass of squares in float would
 * leave nothing of the variance.  */
static void check_far(void **state)
{
    const struct op_case c = {"batchnorm2d", "affine=no", "N,1,8,8", NULL,
                              CASE_TRAIN};
    struct trial near, far;
    (void)state;
    trial_init(&near, &c, 1);
    trial_init(&far, &c, 0);
    for (int64_t i = 0; i < 128; i++) {
        trial_set(&near.in[0], i, (double)(i % 16) / 8 - 1);
        trial_set(&far.in[0], i, 10000 + (double)(i % 16) / 8 - 1);
    }
    trial_forward(&near);
    trial_forward(&far);
    trial_equal(&far, "shifted", &far.out[0], &near.out[0], op_tolerance(1, 2));
    trial_release(&near);
    trial_release(&far);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(check_bad),    cmocka_unit_test(check_update),
        cmocka_unit_test(check_single), cmocka_unit_test(check_still),
        cmocka_unit_test(check_far),
    };
    return op_check_main("batchnorm2d", cases, COUNT(cases), more, COUNT(more));
}
