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
    assert_int_equal(bench_plan(p, &(struct bench_opts){0, 0, 0}, &r, &e), 0);
    check(&r);
    assert_true(r.runs >= 10);
    start = clock_now();
    assert_int_equal(
        bench_plan(p, &(struct bench_opts){0.01, 0.05, 0.1}, &r, &e), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bench)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
