/* recipe.c -- tests of train/recipe.h.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fuzz.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "train/recipe.h"

static void refused(const char *over, const char *part)
{
    const char *const list[] = {over, NULL};
    struct err e = {0};
    struct recipe r;

    assert_int_equal(recipe_read(&r, NULL, list, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    if (!strstr(e.msg, part))
        fail_msg("'%s' does not hold '%s'", e.msg, part);
}

static void test_defaults(void **state)
{
    struct err e = {0};
    struct recipe r;

    (void)state;
    assert_int_equal(recipe_read(&r, NULL, NULL, &e), 0);
    assert_int_equal(r.batch, 128);
    assert_int_equal(r.epochs, 30);
    assert_int_equal(r.schedule, SCHEDULE_COSINE);
    assert_int_equal(r.augment.n, 2);
    assert_string_equal(r.no_decay[0], "bias");
    assert_string_equal(r.no_decay[1], "norm");
    assert_null(r.no_decay[2]);
    recipe_release(&r);
}

static void test_round_trip(void **state)
{
    static const char *const over[] = {
        "train.augment=[{pad_crop: {pad: 2}}]", "optimizer.kind=adamw",
        "schedule.milestones=[1, 2.5]", "train.loss.smoothing=0.1", NULL};
    char path[] = "/tmp/adze-recipe-XXXXXX.yaml";
    const int fd = mkstemps(path, 5);
    struct str a = {0}, b = {0};
    struct err e = {0};
    struct recipe r;

    (void)state;
    assert_int_equal(recipe_read(&r, NULL, over, &e), 0);
    recipe_print(&a, &r);
    assert_int_equal(write(fd, str_text(&a), a.len), (ssize_t)a.len);
    close(fd);
    recipe_release(&r);
    if (recipe_read(&r, path, NULL, &e) < 0)
        fail_msg("%s", e.msg);
    recipe_print(&b, &r);
    assert_string_equal(str_text(&a), str_text(&b));
    assert_int_equal(r.optimizer, OPTIM_ADAMW);
    assert_int_equal(r.n_milestones, 2);
    assert_true(r.smoothing == 0.1);
    recipe_release(&r);
    unlink(path);
    str_release(&a);
    str_release(&b);
}

static void test_refused(void **state)
{
    (void)state;
    refused("schedule.ls=1", "did you mean 'schedule.lr'");
    refused("schedule.lr", "KEY=VALUE");
    refused("global.epochs=0", "within 1..");
    refused("global.epochs=1e3", "an integer");
    refused("train.batch=-1", "within 1..");
    refused("schedule.lr=nan", "a rate");
    refused("schedule.lr=0.1 per 0", "a rate");
    refused("schedule.warmup=2 weeks", "a span");
    refused("schedule.kind=cosin", "one of constant, step, cosine");
    refused("optimizer.nesterov=maybe", "yes or no");
    refused("train.augment=[flop]", "did you mean 'flip'");
    refused("train.augment=flip", "a list");
    refused("train.augment=[{flip: {q: 1}}]", "'q'");
    refused("schedule.milestones=[2, 1]", "must rise");
    refused("train.loss.smoothing=1.5", "within 0..1");
    refused("global.epochs=", "-o global.epochs= gives no value");
    refused("global.epochs=[1]", "'global.epochs' is one value, not a list");
    refused("train.augment=[flip", "-o train.augment:");
    refused("schedule={lr: 0.2, rate: 1}", "schedule.rate");
}

/* The part that is missing, other words for it, and what is misspelt.  */
static void test_nearest(void **state)
{
    static const char *const pair[][2] = {
        {"lr", "schedule.lr"},
        {"epochs", "global.epochs"},
        {"epoch", "global.epochs"},
        {"optimizer", "optimizer.kind"},
        {"decay", "optimizer.decay.rate"},
        {"shedule", "schedule"},
        {"shedule.lr", "schedule.lr"},
        {"train.lr", "schedule.lr"},
        {"momentun", "optimizer.momentum"},
        {"learning-rate", "schedule.lr"},
        {"weight_decay", "optimizer.decay.rate"},
        {"batch_size", "train.batch"},
        {"label_smoothing", "train.loss.smoothing"},
        {"classes", NULL},
        {"", NULL},
        {".", NULL},
        {"-", NULL},
    };
    char buf[RECIPE_KEY];

    (void)state;
    for (size_t i = 0; i < COUNT(pair); i++) {
        const char *near = recipe_nearest(buf, pair[i][0]);

        if (!near != !pair[i][1] || (near && strcmp(near, pair[i][1]) != 0))
            fail_msg("'%s' is near to '%s'", pair[i][0], near ? near : "none");
    }
    refused("classes=3", "adze-recipe(5) lists them");
}

static void test_file_errors(void **state)
{
    struct err e = {0};
    struct recipe r;

    (void)state;
    assert_int_equal(recipe_read(&r, "none-such", NULL, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    assert_non_null(strstr(e.msg, "'none-such', but: default; a file"));
    memset(&e, 0, sizeof e);
    assert_int_equal(recipe_read(&r, "./none-such.yaml", NULL, &e), -1);
    assert_int_equal(e.code, ERR_INPUT);
}

#define T(text)               \
    {                         \
        text, sizeof text - 1 \
    }

static void test_fuzz(void **state)
{
    static const struct text {
        const char *p;
        size_t n;
    } seeds[] = {
        T("global: {seed: 1, epochs: 30}\nschedule: {lr: 0.1 per 128}\n"),
        T("train: {augment: [{pad_crop: {pad: 4}}, flip], batch: 3}\n"),
        T("base: default\nmodel: {init: {\"*.fc\": {kind: xavier}, conv: "
          "kaiming}, freeze: [\"layer?.*\", \"a: b\"]}\n"
          "schedule: {kind: step, milestones: [1, 2.5], gamma: .5,"
          " warmup: 5 steps, end: 1e-3}\n"),
        T("optimizer:\n  kind: adamw\n  nesterov: no\n  beta1: 0.8\n"
          "  decay: {rate: 0.1, except: []}\n"
          "train:\n  loss: {smoothing: 0.1, rule: k-1}\n  bad: fail\n"
          "  augment: [{random_resized_crop: {min_scale: 0.5, interpolation: "
          "bicubic}}, {flip: {}}]\n"
          "valid: {batch: 2, bad: skip}\n"),
        T("schedule.lr=0.2\0base: default\n"),
        T("optimizer={kind: adamw, beta1: .5}\0valid: {batch: 3}\n"),
        T("train.augment=[]\0{}"),
    };
    /* what is wrong in a way that damage seldom finds */
    static const struct text wrong[] = {
        T("a=b=c\0{}"),
        T("schedule.lr\0{}"),
        T("schedule.lr=[\0{}"),
        T("optimizer=x\0{}"),
        T("base: none-such\n"),
        T("base: [default]\n"),
        T("base: default.yaml\ntrain: {augment: [[flip]]}\n"),
        T("train: {augment: [{flip: no}]}\n"),
        T("train: {augment: [{random_resized_crop: {min_scale: [1]}}]}\n"),
        T("model: {freeze: [[a]], init: x}\n"),
        T("schedule: {milestones: [[1]]}\n"),
        T("schedule: {milestones: 1}\n"),
        T("[]\n"),
    };
    struct fuzz_seed list[COUNT(seeds)], bad[COUNT(wrong)];

    (void)state;
    for (size_t i = 0; i < COUNT(seeds); i++) {
        list[i] = (struct fuzz_seed){seeds[i].p, seeds[i].n};
        assert_int_equal(fuzz_recipe(list[i].p, list[i].n), 0);
        fuzz_cut(fuzz_recipe, list[i].p, list[i].n);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        bad[i] = (struct fuzz_seed){wrong[i].p, wrong[i].n};
        assert_int_equal(fuzz_recipe(bad[i].p, bad[i].n), -1);
    }
    fuzz_run(fuzz_recipe, list, COUNT(list), NULL, 10000, 1);
    fuzz_run(fuzz_recipe, bad, COUNT(bad), NULL, 2000, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),    cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_file_errors), cmocka_unit_test(test_fuzz),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
