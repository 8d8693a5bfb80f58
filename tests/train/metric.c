/* metric.c -- tests of train/metric.h.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/metric.h"

static void test_counts(void **state)
{
    static const float rows[][3] = {
        {2, 1, 0}, {0, 2, 1}, {0, 1, 2}, {1, 1, 0}, {NAN, 1, 0}};
    static const int64_t label[] = {0, 1, 0, 1, 0};
    struct metric m;
    struct metric_class c;

    (void)state;
    metric_init(&m, 3, 0);
    for (int i = 0; i < 5; i++)
        metric_add(&m, rows[i], label[i]);
    assert_int_equal(m.n, 5);
    assert_int_equal(m.top1, 2); /* the tie of row 3 goes to class 0 */
    assert_int_equal(m.top5, 4); /* a NaN is never right */
    assert_int_equal(m.nonfinite, 1);
    assert_int_equal(m.confusion[0 * 3 + 2], 1);
    assert_int_equal(m.confusion[1 * 3 + 0], 1);
    c = metric_class(&m, 0);
    assert_int_equal(c.n, 3);
    assert_int_equal(c.predicted, 2);
    assert_true(c.precision == 0.5);
    assert_true(isnan(metric_class(&m, 2).recall));
    metric_release(&m);
}

/* Nothing was predicted: the sample counts, but as no class.  */
static void test_all_nan(void **state)
{
    static const float row[] = {NAN, NAN};
    struct metric m;

    (void)state;
    metric_init(&m, 2, 1);
    metric_add(&m, row, 0);
    metric_add(&m, (float[]){0, 1}, 1);
    assert_int_equal(m.n, 2);
    assert_int_equal(m.top1, 1);
    assert_int_equal(m.confusion[0], 0);
    assert_int_equal(metric_class(&m, 0).right, 0);
    assert_true(metric_class(&m, 1).ap == 1);
    metric_release(&m);
}

static void test_loss(void **state)
{
    static const float row[] = {0, 0, 0, 0};
    struct metric m;

    (void)state;
    metric_init(&m, 4, 0);
    metric_add(&m, row, 2);
    assert_true(fabs(metric_loss(&m) - log(4)) < 1e-12);
    metric_release(&m);
}

/* Scores that rank the three positives first, third and fourth of five.  */
static void test_average_precision(void **state)
{
    static const float row[][2] = {{0, 5}, {0, 4}, {0, 3}, {0, 2}, {0, 1}};
    static const int64_t label[] = {1, 0, 1, 1, 0};
    struct metric m;

    (void)state;
    metric_init(&m, 2, 1);
    for (int i = 0; i < 5; i++)
        metric_add(&m, row[i], label[i]);
    assert_true(fabs(metric_class(&m, 1).ap - (1 + 2 / 3. + 3 / 4.) / 3) <
                1e-12);
    metric_release(&m);
}

/* Confident and always right: no error.  Confident and half right: half.  */
static void test_calibration(void **state)
{
    static const float sure[] = {50, 0};
    struct metric m;

    (void)state;
    metric_init(&m, 2, 0);
    metric_add(&m, sure, 0);
    assert_true(metric_ece(&m) < 1e-12);
    metric_add(&m, sure, 1);
    assert_true(fabs(metric_ece(&m) - 0.5) < 1e-12);
    metric_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_all_nan),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_average_precision),
        cmocka_unit_test(test_calibration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
