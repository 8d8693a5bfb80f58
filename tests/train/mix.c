/* mix.c -- tests of train/mix.h: what is drawn, and what training makes of it.
 * SPDX-License-Identifier: MIT  */
#include "train/mix.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../toy.h"
#include "../toy_run.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/rng.h"
#include "cpu/cpu.h"
#include "graph/graph.h"
#include "run/params.h"
#include "run/plan.h"
#include "train/graph.h"
#include "train/recipe.h"

enum { BATCH = 8, STEPS = 10, DRAWS = 400 };

static void bind(struct toy_run *r, const char *const *more)
{
    toy_start(r, toy_graph(NULL, 1), device_cpu_new(cpu_features()), more,
              &(struct plan_opts){.batch = BATCH});
}

static const void *input(const struct toy_run *b, const char *name)
{
    return plan_value(b->plan, name)->data;
}

static float share(const struct toy_run *b)
{
    return *(const float *)input(b, "adze:mix.share");
}

static float own(const struct toy_run *b)
{
    return *(const float *)input(b, "adze:mix.own");
}

static void draw(struct toy_run *b, int64_t step)
{
    mix_draw(&b->recipe, step, STEPS, b->plan);
}

static void check_pairs(const struct toy_run *b)
{
    const int64_t *pair = input(b, "adze:mix.pair");
    int seen[BATCH] = {0};

    for (int i = 0; i < BATCH; i++)
        seen[pair[i]]++;
    for (int i = 0; i < BATCH; i++)
        assert_int_equal(seen[i], 1);
}

/* One share for pixels and classes, of the whole picture.  */
static void test_mixup(void **state)
{
    static const char *const more[] = {"train.mix.mixup=1", NULL};
    const int64_t whole[] = {0, 0, TOY_SIDE, TOY_SIDE};
    struct toy_run b;
    double sum = 0;

    (void)state;
    bind(&b, more);
    for (int64_t i = 0; i < DRAWS; i++) {
        draw(&b, i);
        check_pairs(&b);
        assert_true(share(&b) == own(&b) && own(&b) > 0 && own(&b) < 1);
        assert_memory_equal(input(&b, "adze:mix.box"), whole, sizeof whole);
        sum += own(&b);
    }
    assert_true(fabs(sum / DRAWS - 0.5) < 0.06);
    toy_end(&b);
}

/* Inside a box nothing is the picture's own, and as much of its class is as
 * lies outside.  */
static void test_cutmix(void **state)
{
    static const char *const more[] = {"train.mix.cutmix=1", NULL};
    struct toy_run b;
    int inner = 0;

    (void)state;
    bind(&b, more);
    for (int64_t i = 0; i < DRAWS; i++) {
        const int64_t *box = input(&b, "adze:mix.box");
        double area;

        draw(&b, i);
        check_pairs(&b);
        assert_true(share(&b) == 0);
        assert_true(0 <= box[0] && box[0] <= box[2] && box[2] <= TOY_SIDE);
        assert_true(0 <= box[1] && box[1] <= box[3] && box[3] <= TOY_SIDE);
        area = (double)((box[2] - box[0]) * (box[3] - box[1]));
        assert_true(fabs(own(&b) - (1 - area / (TOY_SIDE * TOY_SIDE))) < 1e-6);
        inner += box[0] > 0 && box[2] < TOY_SIDE;
    }
    assert_in_range(inner, DRAWS / 5, DRAWS);
    toy_end(&b);
}

/* How many of DRAWS batches are mixed, and by boxes.  */
static void count(const char *const *more, int *mixed, int *cut)
{
    struct toy_run b;

    bind(&b, more);
    *mixed = *cut = 0;
    for (int64_t i = 0; i < DRAWS; i++) {
        draw(&b, i);
        *mixed += share(&b) < 1;
        *cut += share(&b) == 0;
    }
    toy_end(&b);
}

static void test_shares(void **state)
{
    int mixed, cut;

    (void)state;
    count((const char *[]){"train.mix.mixup=0.4", "train.mix.prob=0.25", NULL},
          &mixed, &cut);
    assert_in_range(mixed, 75, 125);
    count((const char *[]){"train.mix.mixup=0.4", "train.mix.cutmix=1",
                           "train.mix.switch=0.3", NULL},
          &mixed, &cut);
    assert_int_equal(mixed, DRAWS);
    assert_in_range(cut, 90, 150);
    count((const char *[]){"train.mix.mixup=0.4", "train.mix.until=3 epochs",
                           NULL},
          &mixed, &cut);
    assert_int_equal(mixed, 3 * STEPS);
    count(
        (const char *[]){"train.mix.cutmix=1", "train.mix.until=7 steps", NULL},
        &mixed, &cut);
    assert_int_equal(cut, 7);
}

static struct train_result run(struct toy_run *b, int64_t step)
{
    const struct run_step s = {7, (uint64_t)step};
    struct train_result r;
    struct err e = {0};

    draw(b, step);
    assert_int_equal(
        train_step(b->plan, &s, (struct train_rates){0, 0}, &r, &e), 0);
    return r;
}

/* What is not mixed is trained as if nothing ever was, to the bit.  */
static void test_unmixed(void **state)
{
    static const char *const more[] = {"train.mix.mixup=1",
                                       "train.mix.prob=1e-9",
                                       "train.loss.smoothing=0.1", NULL};
    struct toy_run a, b;

    (void)state;
    bind(&a, (const char *[]){"train.loss.smoothing=0.1", NULL});
    bind(&b, more);
    for (int64_t i = 0; i < 3; i++) {
        const struct train_result r = run(&a, i), q = run(&b, i);

        assert_true(share(&b) == 1 && own(&b) == 1);
        assert_true(r.loss == q.loss && r.norm == q.norm);
    }
    toy_end(&a);
    toy_end(&b);
}

/* The loss of joined classes is the joined loss: of the same pictures, mixed by
 * hand, with the classes of either.  */
static void test_loss(void **state)
{
    static const char *const more[] = {"train.mix.mixup=1", NULL};
    struct toy_run a, b;
    double want = 0, l;

    (void)state;
    bind(&a, NULL);
    bind(&b, more);
    draw(&b, 0);
    l = own(&b);
    const int64_t *pair = input(&b, "adze:mix.pair");
    const struct tensor *x = plan_value(b.plan, "image");
    const int64_t size = tensor_count(x) / BATCH;

    for (int64_t i = 0; i < tensor_count(x); i++)
        ((float *)plan_value(a.plan, "image")->data)[i] =
            (float)(l * ((float *)x->data)[i] +
                    (1 - l) *
                        ((float *)x->data)[pair[i / size] * size + i % size]);
    for (int other = 0; other < 2; other++) {
        for (int i = 0; i < BATCH; i++)
            ((int64_t *)plan_value(a.plan, "target")->data)[i] =
                ((const int64_t *)input(&b, "target"))[other ? pair[i] : i];
        want += (other ? 1 - l : l) * run(&a, 0).loss;
    }
    assert_true(fabs(run(&b, 0).loss - want) < 1e-5 * fabs(want));
    toy_end(&a);
    toy_end(&b);
}

/* A picture counts as what most of it is.  */
static void test_class(void **state)
{
    int64_t target[BATCH];
    struct toy_run b;

    (void)state;
    bind(&b, (const char *[]){"train.mix.mixup=1", NULL});
    for (int i = 0; i < BATCH; i++)
        target[i] = 100 + i;
    for (int64_t s = 0; s < 20; s++) {
        const int64_t *pair = input(&b, "adze:mix.pair");

        draw(&b, s);
        for (int i = 0; i < BATCH; i++)
            assert_int_equal(mix_class(b.plan, target, i),
                             own(&b) >= 0.5f ? 100 + i : 100 + pair[i]);
    }
    toy_end(&b);
}

/* Outside of a plan, the same.  */
static void test_apply(void **state)
{
    static const char *const more[] = {"train.mix.mixup=1", NULL};
    const struct shape s = shape_make(4, (int64_t[]){BATCH, 2, 3, 3});
    float x[BATCH * 18], was[BATCH * 18];
    struct err e = {0};
    struct toy_run b;

    (void)state;
    for (int i = 0; i < BATCH * 18; i++)
        x[i] = was[i] = (float)(i * i % 97);
    bind(&b, more);
    draw(&b, 5);
    assert_int_equal(mix_apply(&b.recipe, 5, STEPS, x, &s, NULL, &e), 0);
    for (int i = 0; i < BATCH * 18; i++) {
        const int64_t pair =
            ((const int64_t *)input(&b, "adze:mix.pair"))[i / 18];
        const double want =
            share(&b) * was[i] + (1 - share(&b)) * was[pair * 18 + i % 18];

        assert_true(fabs(x[i] - want) < 1e-4);
    }
    toy_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixup),  cmocka_unit_test(test_cutmix),
        cmocka_unit_test(test_shares), cmocka_unit_test(test_unmixed),
        cmocka_unit_test(test_loss),   cmocka_unit_test(test_class),
        cmocka_unit_test(test_apply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
