/* evaluate.c -- tests of train/evaluate.h.
 * SPDX-License-Identifier: MIT  */
#include "train/evaluate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../toy.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "data/dataset.h"
#include "format/model.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/params.h"
#include "train/metric.h"

static struct device *device;
static struct model *model;
static struct graph *graph;
static struct params *params;

/* ---- runs ---- */

struct rows {
    float logits[TOY_VALID][TOY_CLASSES];
    int64_t n;
};

static void take(void *ctx, int64_t index, const float *logits, int64_t k)
{
    struct rows *r = ctx;

    assert_int_equal(index, r->n++);
    assert_int_equal(k, TOY_CLASSES);
    memcpy(r->logits[index], logits, sizeof r->logits[index]);
}

/* SPEC at BATCH by a pool of THREADS; twice, as after each epoch.  */
static void evaluate(const char *spec, int64_t batch, int threads,
                     struct metric *m, struct rows *rows)
{
    struct err e = {0};
    struct dataset *d = dataset_open(spec, &(struct dataset_opts){0}, &e);
    const struct evaluate_opts o = {
        .pre = model->pre, .batch = batch, .pool = pool_new(threads)};
    struct evaluator *ev = evaluator_new(graph, device, params, d, &o, &e);
    struct metric again;

    if (!ev)
        fail_msg("%s", e.msg);
    metric_init(m, TOY_CLASSES, 0);
    metric_init(&again, TOY_CLASSES, 0);
    rows->n = 0;
    assert_int_equal(evaluator_run(ev, m, take, rows, &e), 0);
    assert_int_equal(evaluator_run(ev, &again, NULL, NULL, &e), 0);
    assert_int_equal(m->n, again.n);
    assert_true(metric_loss(m) == metric_loss(&again));
    assert_int_equal(evaluator_bad(ev), 0);
    metric_release(&again);
    evaluator_free(ev);
    pool_free(o.pool);
    dataset_free(d);
}

/* A row does not depend on its neighbours.  */
static void test_batches(void **state)
{
    static const int batch[] = {1, 7, 22, TOY_VALID, 64};
    struct metric m, n;
    struct rows a, b;

    (void)state;
    evaluate(TOY_VALID_SET, 8, 1, &m, &a);
    assert_int_equal(m.n, TOY_VALID);
    for (size_t i = 0; i < COUNT(batch); i++) {
        evaluate(TOY_VALID_SET, batch[i], (int)i % 3 + 1, &n, &b);
        assert_int_equal(b.n, TOY_VALID);
        assert_memory_equal(a.logits, b.logits, sizeof a.logits);
        assert_true(metric_loss(&m) == metric_loss(&n));
        assert_true(metric_top1(&m) == metric_top1(&n));
        metric_release(&n);
    }
    metric_release(&m);
}

/* ---- broken pictures ---- */

static void picture(const char *name, int n)
{
    FILE *f = fopen(name, "wb");

    assert_non_null(f);
    fprintf(f, "P5 8 8 255\n");
    for (int i = 0; i < n; i++)
        fputc(i, f);
    fclose(f);
}

static int with_bad(enum bad_policy bad, int64_t max_bad, struct metric *m,
                    int64_t *n_bad, struct err *e)
{
    struct dataset *d = dataset_open("list.txt", &(struct dataset_opts){0}, e);
    const struct evaluate_opts o = {
        .pre = model->pre, .batch = 3, .bad = bad, .max_bad = max_bad};
    struct evaluator *ev =
        d ? evaluator_new(graph, device, params, d, &o, e) : NULL;
    int rc;

    if (!ev)
        fail_msg("%s", e->msg);
    metric_init(m, TOY_CLASSES, 0);
    rc = evaluator_run(ev, m, NULL, NULL, e);
    *n_bad = evaluator_bad(ev);
    metric_release(m);
    evaluator_free(ev);
    dataset_free(d);
    return rc;
}

static void test_bad(void **state)
{
    FILE *f = fopen("list.txt", "w");
    struct err e = {0};
    struct metric m;
    int64_t n;

    (void)state;
    assert_non_null(f);
    fputs("good.pgm 0\ncut.pgm 1\ngood.pgm 2\ngood.pgm 0\n", f);
    fclose(f);
    picture("good.pgm", 64);
    picture("cut.pgm", 63);
    assert_int_equal(with_bad(BAD_FAIL, 9, &m, &n, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    assert_non_null(strstr(e.msg, "cut.pgm"));
    e = (struct err){0};
    assert_int_equal(with_bad(BAD_SKIP, 9, &m, &n, &e), 0);
    assert_int_equal(n, 1);
    assert_int_equal(with_bad(BAD_SKIP, 0, &m, &n, &e), -1);
    assert_int_equal(e.code, ERR_INPUT);
}

static int setup(void **state)
{
    struct err e = {0};

    toy_setup(state);
    device = device_cpu_new(cpu_features());
    model = toy_model(1);
    graph = pass_simplify(model->graph, &e);
    params = graph ? params_new(graph, device, &e) : NULL;
    if (!params)
        fail_msg("%s", e.msg);
    return 0;
}

static int teardown(void **state)
{
    params_free(params);
    graph_free(graph);
    model_free(model);
    device_cpu_free(device);
    return toy_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_bad),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
