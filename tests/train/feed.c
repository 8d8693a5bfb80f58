/* feed.c -- tests of train/feed.h: the batches are those of the recipe.
 * SPDX-License-Identifier: MIT  */
#include "train/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../toy.h"
#include "base/err.h"
#include "base/thread.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "format/model.h"
#include "train/recipe.h"

enum { BATCH = 40, SIDE2 = TOY_SIDE * TOY_SIDE };

static struct dataset *data;
static struct model *model;
static struct pool *pool;

/* Batch STEP of epoch 0 of a recipe with KEY; returns how many it holds.  */
static int64_t batch(const char *key, int64_t step, float *x, int64_t *steps)
{
    int64_t target[BATCH], count;
    struct err e = {0};
    struct feed f = {0};
    struct recipe r;

    toy_recipe(&r, (const char *[]){"train.batch=40", key, NULL});
    if (feed_open(&f, data, &(struct feed_opts){.pre = model->pre}, &r, &e) <
            0 ||
        loader_batch(f.loader, 0, step, x, target, &count, pool, &e) < 0)
        fail_msg("%s", e.msg);
    *steps = f.steps;
    feed_close(&f);
    recipe_release(&r);
    return count;
}

static void test_recipe(void **state)
{
    static float a[BATCH * SIDE2], b[BATCH * SIDE2];
    int64_t steps;

    (void)state;
    assert_int_equal(batch("train.last=drop", 0, a, &steps), BATCH);
    assert_int_equal(steps, TOY_TRAIN / BATCH);
    assert_int_equal(batch("global.seed=2", 0, b, &steps), BATCH);
    assert_memory_not_equal(a, b, sizeof a);
    batch("train.augment=[flip]", 0, b, &steps);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(batch("train.last=keep", 2, b, &steps), TOY_TRAIN % BATCH);
    assert_int_equal(steps, TOY_TRAIN / BATCH + 1);
    batch("train.last=keep", 0, b, &steps);
    assert_memory_equal(a, b, sizeof a);
}

static void test_too_few(void **state)
{
    struct err e = {0};
    struct feed f = {0};
    struct recipe r;

    (void)state;
    toy_recipe(&r, (const char *[]){"train.batch=101", NULL});
    assert_int_equal(
        feed_open(&f, data, &(struct feed_opts){.pre = model->pre}, &r, &e),
        -1);
    assert_int_equal(e.code, ERR_USAGE);
    assert_non_null(strstr(e.msg, "101"));
    assert_non_null(strstr(e.msg, "100 pictures"));
    assert_non_null(strstr(e.msg, "train.batch) to 64"));
    feed_close(&f);
    recipe_release(&r);
}

static int setup(void **state)
{
    struct err e = {0};

    toy_setup(state);
    model = toy_model(1);
    pool = pool_new(2);
    data = dataset_open(TOY_TRAIN_SET, &(struct dataset_opts){0}, &e);
    return data ? 0 : -1;
}

static int teardown(void **state)
{
    dataset_free(data);
    model_free(model);
    pool_free(pool);
    return toy_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipe),
        cmocka_unit_test(test_too_few),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
