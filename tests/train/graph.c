/* graph.c -- tests of train/graph.h: what a step does, and when it does
 * nothing.
 * SPDX-License-Identifier: MIT  */
#include "train/graph.h"

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
#include "train/recipe.h"

enum { BATCH = 4 };

/* The toy network, ready to train.  */
struct bound {
    struct recipe recipe;
    struct device *dev;
    struct graph *network, *g;
    struct params *params;
    struct plan *p;
};

static void fill(struct plan *p, float scale)
{
    const struct rng r = rng_at(3, RNG_TEST, 0, 0);
    struct tensor *x = plan_value(p, "image");
    int64_t *y = plan_value(p, "target")->data;

    for (int64_t i = 0; i < tensor_count(x); i++)
        ((float *)x->data)[i] = scale * (float)rng_normal(&r, (uint64_t)i);
    for (int i = 0; i < BATCH; i++)
        y[i] = i % TOY_CLASSES;
}

static void bind(struct bound *b)
{
    struct err e = {0};

    toy_recipe(&b->recipe, NULL);
    b->dev = device_cpu_new(cpu_features());
    b->network = toy_graph(NULL, 1);
    b->g = train_graph(b->network, &b->recipe, &e);
    b->params = b->g ? params_new(b->g, b->dev, &e) : NULL;
    b->p = b->params ? plan_new(b->g, b->dev, b->params,
                                &(struct plan_opts){.batch = BATCH}, &e)
                     : NULL;
    if (!b->p)
        fail_msg("%s", e.msg);
    fill(b->p, 1);
}

static void release(struct bound *b)
{
    plan_free(b->p);
    params_free(b->params);
    graph_free(b->g);
    graph_free(b->network);
    device_cpu_free(b->dev);
    recipe_release(&b->recipe);
}

/* Is the tensor NAME as the network has it?  */
static int unchanged(const struct bound *b, const char *name)
{
    const struct tensor *now = params_get(b->params, name);

    return !memcmp(now->data, graph_value(b->network, name)->data.data,
                   tensor_bytes(now));
}

static int step(struct bound *b, uint64_t n, double lr, struct train_result *r)
{
    struct err e = {0};
    const int bad = train_step(b->p, &(struct run_step){1, n}, lr, r, &e);

    assert_int_equal(e.code, ERR_NONE);
    return bad;
}

static void test_learns(void **state)
{
    struct bound b;
    struct train_result first, r;

    (void)state;
    bind(&b);
    assert_int_equal(step(&b, 0, 0.1, &first), 0);
    assert_true(first.loss > 0 && first.norm > 0);
    assert_false(unchanged(&b, "fc.weight"));
    assert_false(unchanged(&b, "bn1.running_mean"));
    for (uint64_t n = 1; n < 30; n++)
        assert_int_equal(step(&b, n, 0.1, &r), 0);
    assert_true(r.loss < first.loss / 2);
    release(&b);
}

/* All but the weights changes.  */
static void test_rate_0(void **state)
{
    struct bound b;
    struct train_result first, r;

    (void)state;
    bind(&b);
    assert_int_equal(step(&b, 0, 0, &first), 0);
    assert_int_equal(step(&b, 0, 0, &r), 0);
    assert_true(r.loss == first.loss && r.norm == first.norm);
    assert_true(unchanged(&b, "conv1.weight") && unchanged(&b, "fc.bias"));
    assert_false(unchanged(&b, "bn1.running_mean"));
    release(&b);
}

static void test_nonfinite(void **state)
{
    struct bound b;
    struct train_result r;

    (void)state;
    bind(&b);
    fill(b.p, NAN);
    assert_int_equal(step(&b, 0, 0.1, &r), 1);
    assert_false(isfinite(r.loss));
    assert_true(unchanged(&b, "fc.weight"));
    assert_true(unchanged(&b, "bn1.running_mean"));
    fill(b.p, 1);
    assert_int_equal(step(&b, 0, 0.1, &r), 0);
    release(&b);
}

static void test_refusals(void **state)
{
    static const char *const freeze[] = {"model.freeze=[conv9]",
                                         "model.freeze=['*']"};
    struct graph *g = toy_graph(NULL, 1);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct err e = {0};
        struct recipe r;

        toy_recipe(&r, (const char *[]){freeze[i], NULL});
        assert_null(train_graph(g, &r, &e));
        assert_int_equal(e.code, ERR_USAGE);
        recipe_release(&r);
    }
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_rate_0),
        cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
