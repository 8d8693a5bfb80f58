/* optim.c -- tests of train/optim.h: which updates stand in a training graph,
 * and what a step of them does.
 * SPDX-License-Identifier: MIT  */
#include "train/optim.h"

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
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"
#include "train/recipe.h"

enum { BATCH = 4 };

/* The toy network in training, with its loss and the recipe's updates.  */
static struct graph *training(const struct recipe *r, const char *const *freeze,
                              struct err *e)
{
    static const char *const none[] = {NULL};
    const struct shape logits = {2, {1, TOY_CLASSES}, 1}, target = {1, {1}, 1};
    struct graph *net = toy_graph(NULL, 1), *loss = graph_new("loss"), *g, *d;
    struct value *in[] = {
        graph_input(loss, "logits", DTYPE_F32, &logits),
        graph_input(loss, "target", DTYPE_I64, &target),
    };
    struct node *n =
        graph_add(loss, op_find("crossentropy"), "loss", in, 2, NULL, e);

    assert_non_null(n);
    graph_output(loss, "loss", n->out[0], 1);
    g = pass_join(net, loss, freeze ? freeze : none, e);
    d = g ? pass_differentiate(g, "loss", NULL, e) : NULL;
    graph_free(net);
    graph_free(loss);
    graph_free(g);
    if (d && optim_add(d, r, e) < 0) {
        graph_free(d);
        return NULL;
    }
    return d;
}

static struct graph *must(const struct recipe *r)
{
    struct err e = {0};
    struct graph *g = training(r, NULL, &e);

    if (!g)
        fail_msg("%s", e.msg);
    return g;
}

static int nodes(const struct graph *g, const char *op)
{
    int n = 0;

    for (int i = 0; i < g->n_node; i++)
        n += !strcmp(g->node[i]->op->name, op);
    return n;
}

static int values(const struct graph *g, enum value_kind k, const char *prefix)
{
    int n = 0;

    for (int i = 0; i < g->n_value; i++)
        n += g->value[i]->kind == k &&
             !strncmp(g->value[i]->name, prefix, strlen(prefix));
    return n;
}

/* conv1, bn1, conv2, bn2, fc: 8 parameters.  */
static void test_nodes(void **state)
{
    struct recipe r;
    struct graph *g;

    (void)state;
    toy_recipe(&r, NULL);
    g = must(&r);
    assert_int_equal(nodes(g, "sgd"), 8);
    assert_int_equal(nodes(g, "gradnorm"), 1);
    assert_int_equal(nodes(g, "clipscale"), 0);
    assert_int_equal(values(g, VALUE_STATE, "adze:momentum:"), 8);
    assert_non_null(graph_output_value(g, "grad_norm"));
    graph_free(g);
    recipe_release(&r);

    toy_recipe(
        &r, (const char *[]){"optimizer.kind=adamw", "optimizer.clip=1", NULL});
    g = must(&r);
    assert_int_equal(nodes(g, "adamw"), 8);
    assert_int_equal(nodes(g, "clipscale"), 8);
    assert_int_equal(values(g, VALUE_STATE, "adze:"), 3 * 8);
    assert_int_equal(graph_value(g, "adze:t:fc.bias")->shape.dim[0], 1);
    graph_free(g);
    recipe_release(&r);
}

/* Does the update of parameter NAME decay it?  */
static int decays(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->n_node; i++)
        if (!strcmp(g->node[i]->op->name, "sgd") &&
            !strcmp(g->node[i]->in[0]->name, name))
            return attr_real(g->node[i], "decay") > 0;
    fail_msg("no update of '%s'", name);
    return 0;
}

static void test_decay(void **state)
{
    static const struct {
        const char *except, *name;
        int decays;
    } t[] = {
        {"[bias, norm]", "fc.weight", 1},  {"[bias, norm]", "fc.bias", 0},
        {"[bias, norm]", "bn1.weight", 0}, {"[bias, norm]", "bn1.bias", 0},
        {"[norm]", "fc.bias", 1},          {"[norm]", "bn1.bias", 0},
        {"[]", "bn1.weight", 1},           {"['conv?.*']", "conv2.weight", 0},
        {"['conv?.*']", "fc.bias", 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        char key[64];
        struct recipe r;
        struct graph *g;

        snprintf(key, sizeof key, "optimizer.decay.except=%s", t[i].except);
        toy_recipe(&r, (const char *[]){key, NULL});
        g = must(&r);
        if (decays(g, t[i].name) != t[i].decays)
            fail_msg("%s with %s", t[i].name, t[i].except);
        graph_free(g);
        recipe_release(&r);
    }
}

static void test_nothing_to_train(void **state)
{
    static const char *const all[] = {"*", NULL};
    struct err e = {0};
    struct recipe r;

    (void)state;
    toy_recipe(&r, NULL);
    assert_null(training(&r, all, &e));
    assert_int_equal(e.code, ERR_USAGE);
    recipe_release(&r);
}

static void fill(struct plan *p)
{
    const struct rng r = rng_at(3, RNG_TEST, 0, 0);
    struct tensor *x = plan_value(p, "image");
    int64_t *y = plan_value(p, "target")->data;

    for (int64_t i = 0; i < tensor_count(x); i++)
        ((float *)x->data)[i] = (float)rng_normal(&r, (uint64_t)i);
    for (int i = 0; i < BATCH; i++)
        y[i] = i % TOY_CLASSES;
    *(float *)plan_value(p, "adze:lr")->data = 0.1f;
}

/* The first step of SGD with momentum M and Nesterov from zero state:
 * g' = g + decay w;  w -= lr (1 + M) g'; fc.bias does not decay.  */
static void check_step(const char *name, double decay, double scale,
                       struct graph *g, struct params *ps, struct plan *p)
{
    char grad[64];
    const float *was = graph_value(g, name)->data.data, *d;
    const struct tensor *now = params_get(ps, name);

    snprintf(grad, sizeof grad, "d(%s)", name);
    d = plan_output(p, grad)->data;
    for (int64_t i = 0; i < tensor_count(now); i++) {
        const double step = scale * d[i] + decay * was[i];
        const double want = was[i] - 0.1 * 1.9 * step;

        if (!(fabs(((const float *)now->data)[i] - want) < 1e-6))
            fail_msg("%s[%d]: %g, not %g", name, (int)i,
                     ((const float *)now->data)[i], want);
    }
}

static void one_step(double clip)
{
    struct err e = {0};
    struct device *dev = device_cpu_new(cpu_features());
    const struct run_step rs = {1, 0};
    struct recipe r;
    struct graph *g;
    struct params *ps;
    struct plan *p;
    char key[64];
    double norm, scale;

    snprintf(key, sizeof key, "optimizer.clip=%g", clip);
    toy_recipe(&r, (const char *[]){key, "optimizer.decay.rate=0.01", NULL});
    g = must(&r);
    ps = params_new(g, dev, &e);
    p = plan_new(g, dev, ps, &(struct plan_opts){.batch = BATCH}, &e);
    if (!p)
        fail_msg("%s", e.msg);
    fill(p);
    assert_int_equal(plan_run(p, &rs, &e), 0);
    norm = *(const float *)plan_output(p, "grad_norm")->data;
    scale = clip > 0 && norm > clip ? clip / norm : 1;
    assert_true(norm > 0.05); /* or clipping would show nothing */
    assert_int_equal(plan_update(p, &e), 0);
    check_step("fc.weight", 0.01, scale, g, ps, p);
    check_step("fc.bias", 0, scale, g, ps, p);
    plan_free(p);
    params_free(ps);
    graph_free(g);
    recipe_release(&r);
    device_cpu_free(dev);
}

static void test_step(void **state)
{
    (void)state;
    one_step(0);
    one_step(0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_decay),
        cmocka_unit_test(test_nothing_to_train),
        cmocka_unit_test(test_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
