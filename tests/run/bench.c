/* bench.c -- tests of run/bench.h: not of times, of what is made of them.
 * SPDX-License-Identifier: MIT  */
#include "run/bench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../toy.h"
#include "base/clock.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "cpu/cpu.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"

static void check(const struct bench_result *r)
{
    assert_true(r->first_s > 0);
    assert_true(r->min_s > 0 && r->min_s <= r->median_s);
    assert_true(r->median_s <= r->p90_s && r->p90_s <= r->p99_s);
    assert_true(r->mean_s >= r->min_s && isfinite(r->mean_s));
}

static void test_bench(void **state)
{
    struct err e = {0};
    struct device *dev = device_cpu_new(cpu_features());
    struct graph *toy = toy_graph(NULL, 1), *g = pass_simplify(toy, &e);
    struct params *ps = params_new(g, dev, &e);
    struct plan *p = plan_new(g, dev, ps, &(struct plan_opts){.batch = 2}, &e);
    struct bench_result r = {.runs = -1, .mean_s = NAN};
    double start;

    (void)state;
    assert_non_null(p);
    assert_int_equal(
        bench_plan(p, &(struct bench_opts){.warm_runs = 1, .runs = 10}, &r, &e),
        0);
    check(&r);
    assert_int_equal(r.runs, 10);
    start = clock_now();
    assert_int_equal(
        bench_plan(p, &(struct bench_opts){0.01, 0.05, 0.1, 3, 10}, &r, &e), 0);
    assert_true(clock_now() - start >= 0.06); /* warmed up, and measured */
    check(&r);
    assert_true(r.mean_s * r.runs >= 0.02); /* it did run that long */
    assert_true(bench_peak_memory() > 1e5);
    plan_free(p);
    params_free(ps);
    graph_free(g);
    graph_free(toy);
    device_cpu_free(dev);
}

/* Counts how often it ran, and fails at number `fail'.  */
struct counter {
    int n, fail;
};

static int count(void *ctx, struct err *e)
{
    struct counter *c = ctx;

    return ++c->n == c->fail ? err_set(e, ERR_DEVICE, "gone") : 0;
}

static void test_runs(void **state)
{
    struct err e = {0};
    struct counter c = {0};
    struct bench_result r;

    (void)state;
    assert_int_equal(bench_run(count, &c,
                               &(struct bench_opts){.warm_runs = 2, .runs = 5},
                               &r, &e),
                     0);
    assert_int_equal(c.n, 2 + 5);
    assert_int_equal(r.warm, 2);
    assert_int_equal(r.runs, 5);
    c.n = 0;
    assert_int_equal(
        bench_run(count, &c, &(struct bench_opts){.runs = 1}, &r, &e), 0);
    assert_int_equal(c.n, 1);
    assert_true(r.first_s == 0 && r.min_s == r.p99_s);
    for (c.fail = 1; c.fail <= 7; c.fail++) {
        c.n = 0;
        e.code = 0;
        assert_int_equal(
            bench_run(count, &c,
                      &(struct bench_opts){.warm_runs = 2, .runs = 5}, &r, &e),
            -1);
        assert_int_equal(c.n, c.fail);
        assert_int_equal(e.code, ERR_DEVICE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bench),
        cmocka_unit_test(test_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
