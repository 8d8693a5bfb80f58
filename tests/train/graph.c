/* graph.c -- tests of train/graph.h: what a step does, and when it does
 * nothing.
 * SPDX-License-Identifier: MIT  */
#include "train/graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
#include "train/optim.h"
#include "train/recipe.h"
#include "train/schedule.h"

enum { BATCH = 4 };

static int copies; /* between the host and a device apart */

static int put(const struct device *d, void *to, const void *host, size_t bytes,
               struct err *e)
{
    (void)d;
    (void)e;
    memcpy(to, host, bytes);
    copies++;
    return 0;
}

static int get(const struct device *d, void *host, const void *from,
               size_t bytes, struct err *e)
{
    return put(d, host, from, bytes, e);
}

static int finish(const struct device *d, struct err *e)
{
    (void)d;
    (void)e;
    return 0;
}

/* The CPU, as if its memory were not the host's.  */
static struct device *device_apart(void)
{
    struct device *d = device_cpu_new(cpu_features());

    d->put = put;
    d->get = get;
    d->finish = finish;
    return d;
}

static void bind_on(struct toy_run *r, struct graph *network, struct device *d,
                    const char *const *more)
{
    toy_start(r, network, d, more, &(struct plan_opts){.batch = BATCH});
}

static void bind_network(struct toy_run *r, struct graph *network)
{
    bind_on(r, network, device_cpu_new(cpu_features()), NULL);
}

static void bind(struct toy_run *r)
{
    bind_network(r, toy_graph(NULL, 1));
}

/* Is the tensor NAME as the network has it?  */
static int unchanged(const struct toy_run *b, const char *name)
{
    const struct tensor *now = params_get(b->params, name);

    return !memcmp(now->data, graph_value(b->network, name)->data.data,
                   tensor_bytes(now));
}

static int step(struct toy_run *b, uint64_t n, double lr,
                struct train_result *r)
{
    struct err e = {0};
    const struct train_rates rates = {lr, lr};
    const int bad = train_step(b->plan, &(struct run_step){1, n}, rates, r, &e);

    assert_int_equal(e.code, ERR_NONE);
    return bad;
}

static void test_learns(void **state)
{
    struct toy_run b;
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
    toy_end(&b);
}

/* What a step brings to the device and back: all but gradients.  */
static int exchanged(const struct graph *g)
{
    int n = 0;

    for (int i = 0; i < g->n_value; i++)
        n += g->value[i]->kind == VALUE_INPUT;
    for (int i = 0; i < g->n_output; i++)
        n += strncmp(g->output[i].name, "d(", 2) != 0;
    return n;
}

/* Parameters, inputs and results are where they are looked for.  */
static void test_apart(void **state)
{
    static const char grad[] = "d(fc.weight)";
    struct err e = {0};
    struct toy_run a, b;
    struct train_result r, s;

    (void)state;
    bind(&a);
    bind_on(&b, toy_graph(NULL, 1), device_apart(), NULL);
    for (uint64_t n = 0; n < 3; n++) {
        assert_int_equal(step(&a, n, 0.1, &r), 0);
        copies = 0;
        assert_int_equal(step(&b, n, 0.1, &s), 0);
        assert_int_equal(copies, exchanged(b.graph));
        assert_true(r.loss == s.loss && r.norm == s.norm);
    }
    assert_int_equal(
        plan_fetch(b.plan, graph_output_value(b.graph, grad)->name, &e), 0);
    assert_memory_equal(plan_output(b.plan, grad)->data,
                        plan_output(a.plan, grad)->data,
                        tensor_bytes(plan_output(a.plan, grad)));
    assert_true(unchanged(&b, "fc.weight")); /* not fetched yet */
    assert_int_equal(params_fetch(b.params, &e), 0);
    for (int i = 0; i < a.graph->n_value; i++) {
        const char *name = a.graph->value[i]->name;
        const struct tensor *t = params_get(a.params, name);

        if (t)
            assert_memory_equal(t->data, params_get(b.params, name)->data,
                                tensor_bytes(t));
    }
    memset(params_get(b.params, "fc.weight")->data, 0,
           tensor_bytes(params_get(b.params, "fc.weight")));
    assert_int_equal(params_send(b.params, "fc.weight", &e), 0);
    assert_int_equal(step(&a, 3, 0.1, &r), 0);
    assert_int_equal(step(&b, 3, 0.1, &s), 0);
    assert_true(r.loss != s.loss);
    toy_end(&a);
    toy_end(&b);
}

/* ---- averages ---- */

enum { SHARES = 20, MOST = 4096 };

/* The averages beside the same in double: AT is by elements of all tensors that
 * have one.  */
static void follow(const struct toy_run *b, double share, double *at, int check)
{
    for (int i = 0; i < b->graph->n_value; i++) {
        const char *name = b->graph->value[i]->name;
        const char *of = optim_average_of(b->graph->value[i]);
        const float *x = of ? params_get(b->params, of)->data : NULL;
        const float *y = of ? params_get(b->params, name)->data : NULL;
        const int64_t n = of ? tensor_count(params_get(b->params, of)) : 0;

        for (int64_t k = 0; k < n; k++, at++) {
            *at += share * (x[k] - *at);
            if (check && !(fabs(y[k] - *at) <= 1e-6 * (1 + fabs(*at))))
                fail_msg("%s[%d] is %g, not %g", name, (int)k, y[k], *at);
        }
    }
}

/* Weights and running statistics, frozen ones aside.  */
static void test_averages(void **state)
{
    static const char *const keys[] = {"model.ema=0.9",
                                       "model.freeze=['conv1*', 'bn1*']", NULL};
    static double at[MOST];
    struct err e = {0};
    struct train_result r;
    struct toy_run b;

    (void)state;
    bind_on(&b, toy_graph(NULL, 1), device_cpu_new(cpu_features()), keys);
    follow(&b, 1, at, 1);
    for (int s = 0; s < SHARES; s++) {
        const struct run_step rs = {1, (uint64_t)s};
        const struct train_rates rates = {0.1, schedule_ema(&b.recipe, s)};

        assert_int_equal(train_step(b.plan, &rs, rates, &r, &e), 0);
        follow(&b, rates.ema, at, 1);
    }
    assert_null(params_get(b.params, "adze:ema:conv1.weight"));
    assert_null(params_get(b.params, "adze:ema:bn1.running_mean"));
    assert_non_null(params_get(b.params, "adze:ema:bn2.running_mean"));
    assert_non_null(params_get(b.params, "adze:ema:fc.bias"));
    toy_end(&b);
}

/* All but the weights changes.  */
static void test_rate_0(void **state)
{
    struct toy_run b;
    struct train_result first, r;

    (void)state;
    bind(&b);
    assert_int_equal(step(&b, 0, 0, &first), 0);
    assert_int_equal(step(&b, 0, 0, &r), 0);
    assert_true(r.loss == first.loss && r.norm == first.norm);
    assert_true(unchanged(&b, "conv1.weight") && unchanged(&b, "fc.bias"));
    assert_false(unchanged(&b, "bn1.running_mean"));
    toy_end(&b);
}

static void test_nonfinite(void **state)
{
    struct toy_run b;
    struct train_result r;

    (void)state;
    bind(&b);
    toy_fill(b.plan, NAN);
    assert_int_equal(step(&b, 0, 0.1, &r), 1);
    assert_false(isfinite(r.loss));
    assert_true(unchanged(&b, "fc.weight"));
    assert_true(unchanged(&b, "bn1.running_mean"));
    toy_fill(b.plan, 1);
    assert_int_equal(step(&b, 0, 0.1, &r), 0);
    toy_end(&b);
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

/* ---- auxiliary heads ---- */

#define TRUNK                                                \
    "input: {size: [1, 8, 8]}\n"                             \
    "body:\n"                                                \
    "  - conv: {as: conv1, out: 4, kernel: 3}\n"             \
    "  - bn: {as: bn1}\n"                                    \
    "  - silu\n"                                             \
    "  - do: [global_avg_pool, linear: {as: fc, out: 3}]\n"  \
    "    as: aux\n"                                          \
    "  - conv: {as: conv2, out: 4, kernel: 3, from: silu}\n" \
    "  - silu\n"                                             \
    "  - global_avg_pool\n"                                  \
    "  - linear: {as: fc, out: 3}\n"
#define OUTPUTS(aux) "outputs: {logits: fc, aux: {from: aux, " aux "}}\n"

static double cross_entropy(const struct tensor *y)
{
    const float *row = y->data;
    double sum = 0;

    for (int i = 0; i < BATCH; i++, row += TOY_CLASSES) {
        double z = 0;

        for (int k = 0; k < TOY_CLASSES; k++)
            z += exp((double)row[k]);
        sum += log(z) - (double)row[i % TOY_CLASSES];
    }
    return sum / BATCH;
}

/* The loss of a step is that of logits and 0.3 times that of the head.  */
static void test_aux_loss(void **state)
{
    static const double weight[] = {0.3, 0};
    static const char *const text[] = {TRUNK OUTPUTS("train: yes, loss: 0.3"),
                                       TRUNK OUTPUTS("train: yes")};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct train_result r;
        struct toy_run b;
        double want;

        bind_network(&b, toy_graph(text[i], 1));
        assert_int_equal(step(&b, 0, 0.1, &r), 0);
        want = cross_entropy(plan_output(b.plan, "logits")) +
               weight[i] * cross_entropy(plan_output(b.plan, "aux"));
        assert_true(fabs(r.loss - want) <= 8 * ldexp(want, -24));
        assert_int_equal(unchanged(&b, "aux.fc.weight"), !weight[i]);
        toy_end(&b);
    }
}

/* The loss where element I of the parameter NAME is larger by ADD; element I
 * of its gradient in *GRAD.  */
static double loss_at(const char *name, int64_t i, float add, double *grad)
{
    struct graph *g = toy_graph(TRUNK OUTPUTS("train: yes, loss: 0.3"), 1);
    char d[64];
    struct train_result r;
    struct toy_run b;

    ((float *)graph_value(g, name)->data.data)[i] += add;
    snprintf(d, sizeof d, "d(%s)", name);
    bind_network(&b, g);
    assert_int_equal(step(&b, 0, 0, &r), 0);
    *grad = ((const float *)plan_output(b.plan, d)->data)[i];
    toy_end(&b);
    return r.loss;
}

/* Central differences: below both heads, in either, and above the branch.  */
static void test_aux_gradient(void **state)
{
    static const struct {
        const char *name;
        int64_t i;
    } at[] = {{"conv1.weight", 7}, {"bn1.bias", 2}, {"conv2.weight", 20},
              {"fc.weight", 5},    {"fc.bias", 1},  {"aux.fc.weight", 3},
              {"aux.fc.bias", 2}};
    const float h = 0x1p-5f;

    (void)state;
    for (size_t k = 0; k < COUNT(at); k++) {
        double up, down, unused, got;

        up = loss_at(at[k].name, at[k].i, h, &unused);
        down = loss_at(at[k].name, at[k].i, -h, &unused);
        loss_at(at[k].name, at[k].i, 0, &got);
        if (!(fabs((up - down) / (2 * (double)h) - got) <=
              1e-4 + 0.01 * fabs(got)))
            fail_msg("%s[%d]: %g, not %g", at[k].name, (int)at[k].i, got,
                     (up - down) / (2 * (double)h));
    }
}

static void test_aux_refused(void **state)
{
    struct graph *g = toy_graph(TRUNK "outputs: {logits: fc, aux: {from: "
                                      "silu, loss: 0.3}}\n",
                                1);
    struct recipe r;
    struct err e = {0};

    (void)state;
    toy_recipe(&r, NULL);
    assert_null(train_graph(g, &r, &e));
    assert_int_equal(e.code, ERR_SHAPE);
    assert_string_equal(e.msg, "output 'aux' is [N,4,6,6], the loss takes "
                               "[N,3]");
    recipe_release(&r);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),      cmocka_unit_test(test_apart),
        cmocka_unit_test(test_averages),    cmocka_unit_test(test_rate_0),
        cmocka_unit_test(test_nonfinite),   cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_aux_loss),    cmocka_unit_test(test_aux_gradient),
        cmocka_unit_test(test_aux_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
