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

struct bound {
    struct recipe recipe;
    struct device *dev;
    struct graph *network, *g;
    struct params *params;
    struct plan *p;
};

static void bind(struct bound *b, const char *const *more)
{
    const struct rng r = rng_at(3, RNG_TEST, 0, 0);
    struct err e = {0};
    struct tensor *x;

    toy_recipe(&b->recipe, more);
    b->dev = device_cpu_new(cpu_features());
    b->network = toy_graph(NULL, 1);
    b->g = train_graph(b->network, &b->recipe, &e);
    b->params = b->g ? params_new(b->g, b->dev, &e) : NULL;
    b->p = b->params ? train_plan(b->g, b->dev, b->params,
                                  &(struct plan_opts){.batch = BATCH}, &e)
                     : NULL;
    if (!b->p)
        fail_msg("%s", e.msg);
    x = plan_value(b->p, "image");
    for (int64_t i = 0; i < tensor_count(x); i++)
        ((float *)x->data)[i] = (float)rng_normal(&r, (uint64_t)i);
    for (int i = 0; i < BATCH; i++)
        ((int64_t *)plan_value(b->p, "target")->data)[i] = i % TOY_CLASSES;
}

static void release(struct bound *b)
{
    plan_free(b->p);
    params_free(b->params);
    graph_free(b->g);
    graph_free(b->network);
    b->dev->free(b->dev);
    recipe_release(&b->recipe);
}

static const void *input(const struct bound *b, const char *name)
{
    return plan_value(b->p, name)->data;
}

static float share(const struct bound *b)
{
    return *(const float *)input(b, "adze:mix.share");
}

static float own(const struct bound *b)
{
    return *(const float *)input(b, "adze:mix.own");
}

static void draw(struct bound *b, int64_t step)
{
    mix_draw(&b->recipe, step, STEPS, b->p);
}

static void check_pairs(const struct bound *b)
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
    struct bound b;
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
    release(&b);
}

/* Inside a box nothing is the picture's own, and as much of its class is as
 * lies outside.  */
static void test_cutmix(void **state)
{
    static const char *const more[] = {"train.mix.cutmix=1", NULL};
    struct bound b;
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
    release(&b);
}

/* How many of DRAWS batches are mixed, and by boxes.  */
static void count(const char *const *more, int *mixed, int *cut)
{
    struct bound b;

    bind(&b, more);
    *mixed = *cut = 0;
    for (int64_t i = 0; i < DRAWS; i++) {
        draw(&b, i);
        *mixed += share(&b) < 1;
        *cut += share(&b) == 0;
    }
    release(&b);
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

static struct train_result run(struct bound *b, int64_t step)
{
    const struct run_step s = {7, (uint64_t)step};
    struct train_result r;
    struct err e = {0};

    draw(b, step);
    assert_int_equal(train_step(b->p, &s, (struct train_rates){0, 0}, &r, &e),
                     0);
    return r;
}

/* What is not mixed has the loss of its classes, to the bit; gradients lie
 * otherwise, and may be rounded so.  */
static void test_unmixed(void **state)
{
    static const char *const more[] = {"train.mix.mixup=1",
                                       "train.mix.until=1 step",
                                       "train.loss.smoothing=0.1", NULL};
    struct bound a, b;

    (void)state;
    bind(&a, (const char *[]){"train.loss.smoothing=0.1", NULL});
    bind(&b, more);
    for (int64_t i = 0; i < 3; i++) {
        const struct train_result r = run(&a, i), q = run(&b, i);

        assert_int_equal(r.loss == q.loss, i > 0);
        assert_int_equal(fabs(r.norm - q.norm) < 1e-6 * r.norm, i > 0);
    }
    release(&a);
    release(&b);
}

/* The loss of joined classes is the joined loss: of the same pictures, mixed by
 * hand, with the classes of either.  */
static void test_loss(void **state)
{
    static const char *const more[] = {"train.mix.mixup=1", NULL};
    struct bound a, b;
    double want = 0, l;

    (void)state;
    bind(&a, NULL);
    bind(&b, more);
    draw(&b, 0);
    l = own(&b);
    const int64_t *pair = input(&b, "adze:mix.pair");
    const struct tensor *x = plan_value(b.p, "image");
    const int64_t size = tensor_count(x) / BATCH;

    for (int64_t i = 0; i < tensor_count(x); i++)
        ((float *)plan_value(a.p, "image")->data)[i] =
            (float)(l * ((float *)x->data)[i] +
                    (1 - l) *
                        ((float *)x->data)[pair[i / size] * size + i % size]);
    for (int other = 0; other < 2; other++) {
        for (int i = 0; i < BATCH; i++)
            ((int64_t *)plan_value(a.p, "target")->data)[i] =
                ((const int64_t *)input(&b, "target"))[other ? pair[i] : i];
        want += (other ? 1 - l : l) * run(&a, 0).loss;
    }
    assert_true(fabs(run(&b, 0).loss - want) < 1e-5 * fabs(want));
    release(&a);
    release(&b);
}

/* A picture counts as what most of it is.  */
static void test_class(void **state)
{
    int64_t target[BATCH];
    struct bound b;

    (void)state;
    bind(&b, (const char *[]){"train.mix.mixup=1", NULL});
    for (int i = 0; i < BATCH; i++)
        target[i] = 100 + i;
    for (int64_t s = 0; s < 20; s++) {
        const int64_t *pair = input(&b, "adze:mix.pair");

        draw(&b, s);
        for (int i = 0; i < BATCH; i++)
            assert_int_equal(mix_class(b.p, target, i),
                             own(&b) >= 0.5f ? 100 + i : 100 + pair[i]);
    }
    release(&b);
}

/* Outside of a plan, the same.  */
static void test_apply(void **state)
{
    static const char *const more[] = {"train.mix.mixup=1", NULL};
    const struct shape s = shape_make(4, (int64_t[]){BATCH, 2, 3, 3});
    float x[BATCH * 18], was[BATCH * 18];
    struct err e = {0};
    struct bound b;

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
    release(&b);
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
