/* schedule.c -- tests of train/schedule.h.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "train/recipe.h"
#include "train/schedule.h"

static void read(struct recipe *r, const char *const *over)
{
    struct err e = {0};

    if (recipe_read(r, NULL, over, &e) < 0)
        fail_msg("%s", e.msg);
}

static int near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fabs(b) + 1e-15;
}

static void test_cosine(void **state)
{
    static const char *const over[] = {
        "global.epochs=10", "schedule.lr=0.1 per 128", "train.batch=256", NULL};
    struct recipe r;

    (void)state;
    read(&r, over);
    /* 0.2 is the peak for 256; two epochs of warm-up, 20 steps each */
    assert_true(near(schedule_lr(&r, 0, 20), 0.2 / 40));
    assert_true(near(schedule_lr(&r, 39, 20), 0.2));
    assert_true(near(schedule_lr(&r, 40, 20), 0.2));
    assert_true(near(schedule_lr(&r, 120, 20), 0.1));
    assert_true(schedule_lr(&r, 199, 20) > 0);
    assert_true(schedule_lr(&r, 199, 20) < 0.2 * 1e-3);
    for (int64_t s = 41; s < 200; s++)
        assert_true(schedule_lr(&r, s, 20) < schedule_lr(&r, s - 1, 20));
    recipe_release(&r);
}

static void test_step(void **state)
{
    static const char *const over[] = {
        "schedule.kind=step",         "schedule.lr=0.4",    "schedule.warmup=0",
        "schedule.milestones=[3, 6]", "schedule.gamma=0.5", NULL};
    struct recipe r;

    (void)state;
    read(&r, over);
    assert_true(near(schedule_lr(&r, 0, 10), 0.4));
    assert_true(near(schedule_lr(&r, 29, 10), 0.4));
    assert_true(near(schedule_lr(&r, 30, 10), 0.2));
    assert_true(near(schedule_lr(&r, 60, 10), 0.1));
    recipe_release(&r);
}

static void test_constant(void **state)
{
    static const char *const over[] = {"schedule.kind=constant",
                                       "schedule.lr=0.3",
                                       "schedule.warmup=5 steps", NULL};
    struct recipe r;

    (void)state;
    read(&r, over);
    assert_true(near(schedule_lr(&r, 0, 10), 0.06));
    assert_true(near(schedule_lr(&r, 4, 10), 0.3));
    assert_true(near(schedule_lr(&r, 299, 10), 0.3));
    recipe_release(&r);
}

/* 0.9, 9/11, ... until the decay is what the recipe says.  */
static void test_ema(void **state)
{
    struct recipe r;

    (void)state;
    read(&r, (const char *[]){"model.ema=0.99", NULL});
    assert_true(near(schedule_ema(&r, 0), 0.9));
    assert_true(near(schedule_ema(&r, 1), 9. / 11));
    assert_true(near(schedule_ema(&r, 889), 9. / 899));
    assert_true(near(schedule_ema(&r, 890), 0.01));
    assert_true(near(schedule_ema(&r, 1000000), 0.01));
    recipe_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cosine),
        cmocka_unit_test(test_step),
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_ema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
