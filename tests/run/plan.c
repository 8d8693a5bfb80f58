/* plan.c -- tests of run/plan.h: however a graph is cut into steps and placed
 * in memory, it computes the same.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"
#include "tensor/compare.h"

enum { N = 3, CLASSES = 5 };

static struct value *add(struct graph *g, const char *op, const char *name,
                         struct value *x, struct value *y,
                         const struct attr_text *attr)
{
    struct err e = {0};
    struct value *in[] = {x, y};
    struct node *n = graph_add(g, op_find(op), name, in, y ? 2 : 1, attr, &e);

    if (!n)
        fail_msg("%s", e.msg);
    return n->out[0];
}

/* A residual block with a stride, then a classifier.  */
static struct graph *network(void)
{
    const struct shape image = {4, {1, 3, 9, 7}, 1};
    const struct attr_text conv1[] = {
        {"out", "6"}, {"kernel", "3"}, {"pad", "1"}, {"stride", "2"}, {0}};
    const struct attr_text conv2[] = {
        {"out", "6"}, {"kernel", "3"}, {"pad", "1"}, {0}};
    const struct attr_text down[] = {
        {"out", "6"}, {"kernel", "1"}, {"stride", "2"}, {0}};
    const struct attr_text fc[] = {{"out", "5"}, {0}};
    struct graph *g = graph_new("test");
    struct value *x = graph_input(g, "image", DTYPE_F32, &image), *y, *s;

    y = add(g, "conv2d", "conv1", x, NULL, conv1);
    y = add(g, "batchnorm2d", "bn1", y, NULL, NULL);
    y = add(g, "relu", "relu1", y, NULL, NULL);
    y = add(g, "conv2d", "conv2", y, NULL, conv2);
    y = add(g, "batchnorm2d", "bn2", y, NULL, NULL);
    s = add(g, "conv2d", "down", x, NULL, down);
    y = add(g, "add", "sum", y, s, NULL);
    y = add(g, "relu", "relu2", y, NULL, NULL);
    y = add(g, "globalavgpool", "pool", y, NULL, NULL);
    y = add(g, "linear", "fc", y, NULL, fc);
    graph_output(g, "logits", y, 0);
    return g;
}

static void fill(struct tensor *t, uint64_t a)
{
    const struct rng r = rng_at(7, RNG_TEST, a, 0);
    float *p = t->data;

    for (int64_t i = 0; i < tensor_count(t); i++)
        p[i] = (float)rng_normal(&r, (uint64_t)i);
}

static void initialise(struct graph *g)
{
    struct err e = {0};

    for (int i = 0; i < g->n_value; i++) {
        struct value *v = g->value[i];
        struct tensor t;

        if (v->kind != VALUE_PARAM && v->kind != VALUE_STATE)
            continue;
        assert_int_equal(tensor_new(&t, DTYPE_F32, &v->shape, &e), 0);
        fill(&t, (uint64_t)i);
        for (int64_t k = 0; k < tensor_count(&t); k++)
            if (str_ends(v->name, "var"))
                ((float *)t.data)[k] = 0.5f + fabsf(((float *)t.data)[k]);
        value_set_data(v, &t);
        tensor_unref(&t);
    }
}

static struct graph *loss(void)
{
    const struct shape x = {2, {1, CLASSES}, 1}, y = {1, {1}, 1};
    struct graph *g = graph_new("loss");
    struct value *a = graph_input(g, "logits", DTYPE_F32, &x);
    struct value *b = graph_input(g, "target", DTYPE_I64, &y);

    graph_output(g, "loss", add(g, "crossentropy", "loss", a, b, NULL), 1);
    return g;
}

static struct graph *training(const struct graph *net)
{
    struct err e = {0};
    struct graph *l = loss(), *j = pass_join(net, l, NULL, &e);
    struct graph *g = j ? pass_differentiate(j, "loss", NULL, &e) : NULL;

    if (!g)
        fail_msg("%s", e.msg);
    graph_free(l);
    graph_free(j);
    return g;
}

struct bound {
    struct device *d;
    struct params *ps;
    struct pool *pool;
    struct plan *p;
};

static struct bound bind(const struct graph *g, unsigned isa, int reference,
                         int threads, struct plan_opts o)
{
    static const struct kernel *const none[] = {NULL};
    struct err e = {0};
    struct bound b = {.d = device_cpu_new(isa), .pool = pool_new(threads)};

    if (reference)
        b.d->kernels = none;
    b.ps = params_new(g, b.d, &e);
    assert_non_null(b.ps);
    o.batch = N;
    o.pool = b.pool;
    b.p = plan_new(g, b.d, b.ps, &o, &e);
    if (!b.p)
        fail_msg("%s", e.msg);
    fill(plan_value(b.p, "image"), 1000);
    if (plan_find(b.p, "target"))
        for (int i = 0; i < N; i++)
            ((int64_t *)plan_value(b.p, "target")->data)[i] = i;
    assert_int_equal(plan_run(b.p, NULL, &e), 0);
    assert_int_equal(plan_update(b.p, &e), 0);
    return b;
}

static void unbind(struct bound *b)
{
    plan_free(b->p);
    params_free(b->ps);
    b->d->free(b->d);
    pool_free(b->pool);
}

/* Every output of G, and every state, alike in A and B within TOL.  */
static void alike(const struct graph *g, struct bound *a, struct bound *b,
                  double tol)
{
    struct err e = {0};
    struct compare c;

    for (int i = 0; i < g->n_output; i++) {
        const char *name = g->output[i].name;

        assert_int_equal(compare_tensors(&c, plan_output(a->p, name),
                                         plan_output(b->p, name), &e),
                         0);
        if (c.max_rel > tol || c.nonfinite)
            fail_msg("output '%s' differs by %g of its largest", name,
                     c.max_rel);
    }
    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = g->value[i];

        if (v->kind != VALUE_STATE)
            continue;
        compare_tensors(&c, params_get(a->ps, v->name),
                        params_get(b->ps, v->name), &e);
        if (c.max_rel > tol)
            fail_msg("state '%s' differs by %g of its largest", v->name,
                     c.max_rel);
    }
}

/* Sums are at most 54 products and 3 * 63 pixels long.  */
static const double tolerance = 1e-5;

/* SMALLER: a plan that keeps nothing takes no more memory.  */
static void compare_ways(const struct graph *g, int smaller)
{
    const unsigned masks[] = {0, CPU_AVX2, cpu_features()};
    struct bound want = bind(g, 0, 1, 1, (struct plan_opts){.keep_values = 1});

    for (size_t m = 0; m < sizeof masks / sizeof *masks; m++) {
        const unsigned isa = masks[m] & cpu_features();
        struct bound kept =
            bind(g, isa, 0, 1, (struct plan_opts){.keep_values = 1});
        struct bound plain =
            bind(g, isa, 0, 2, (struct plan_opts){.no_fuse = 1});
        struct bound fused = bind(g, isa, 0, 1, (struct plan_opts){0});

        alike(g, &kept, &want, tolerance);
        alike(g, &plain, &want, tolerance);
        alike(g, &fused, &want, tolerance);
        assert_true(!smaller ||
                    plan_value_bytes(fused.p) <= plan_value_bytes(kept.p));
        unbind(&kept);
        unbind(&plain);
        unbind(&fused);
    }
    unbind(&want);
}

static void test_inference(void **state)
{
    struct graph *g = network();

    (void)state;
    initialise(g);
    compare_ways(g, 1);
    graph_free(g);
}

static void test_training(void **state)
{
    struct graph *net = network(), *g;

    (void)state;
    initialise(net);
    g = training(net);
    compare_ways(g, 1);
    graph_free(g);
    graph_free(net);
}

/* A map times what a parameter says of each channel: the same for all
 * samples.  */
static struct graph *scaled(void)
{
    const struct shape image = {4, {1, 3, 9, 7}, 1}, each = {4, {1, 6, 1, 1}};
    const struct attr_text conv[] = {{"out", "6"}, {"kernel", "3"}, {0}};
    const struct attr_text fc[] = {{"out", "5"}, {0}};
    struct graph *g = graph_new("test");
    struct value *x = graph_input(g, "image", DTYPE_F32, &image), *y, *s;
    struct err e = {0};
    struct tensor t;

    assert_int_equal(tensor_new(&t, DTYPE_F32, &each, &e), 0);
    s = graph_tensor(g, "factor", VALUE_PARAM, NULL, &t);
    tensor_unref(&t);
    y = add(g, "conv2d", "conv", x, NULL, conv);
    s = add(g, "sigmoid", "share", s, NULL, NULL);
    y = add(g, "mul", "scaled", y, s, NULL);
    y = add(g, "globalavgpool", "pool", y, NULL, NULL);
    graph_output(g, "logits", add(g, "linear", "fc", y, NULL, fc), 0);
    return g;
}

static void test_factor_of_all(void **state)
{
    struct graph *net = scaled(), *g;

    (void)state;
    initialise(net);
    compare_ways(net, 0);
    g = training(net);
    compare_ways(g, 0);
    graph_free(g);
    graph_free(net);
}

static void test_threads(void **state)
{
    struct graph *net = network(), *g;

    (void)state;
    initialise(net);
    g = training(net);
    struct bound one = bind(g, cpu_features(), 0, 1, (struct plan_opts){0});

    for (int t = 2; t <= 8; t += 3) {
        struct bound many =
            bind(g, cpu_features(), 0, t, (struct plan_opts){0});

        alike(g, &many, &one, 0);
        assert_int_equal(plan_hash(many.p), plan_hash(one.p));
        unbind(&many);
    }
    unbind(&one);
    graph_free(g);
    graph_free(net);
}

/* A residual block holds two activations at once, its plain form one.  */
static void test_memory(void **state)
{
    struct err e = {0};
    struct graph *g = network(), *s;
    struct bound whole = {0};

    (void)state;
    initialise(g);
    s = pass_simplify(g, &e);
    whole = bind(s, 0, 1, 1, (struct plan_opts){0});
    /* image + conv1 + shortcut + scratch: far below the sum of all values */
    assert_true(plan_bytes(whole.p) <
                (size_t)N * 4 * (3 * 63 + 4 * 6 * 20 + 64));
    unbind(&whole);
    graph_free(s);
    graph_free(g);
}

static void test_uninitialised(void **state)
{
    struct device *d = device_cpu_new(0);
    struct graph *g = network();
    struct err e = {0};

    (void)state;
    assert_null(params_new(g, d, &e));
    assert_int_equal(e.code, ERR_USAGE);
    assert_non_null(strstr(e.msg, "adze-init"));
    graph_free(g);
    d->free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inference),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_factor_of_all),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_uninitialised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
