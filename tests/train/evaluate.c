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
#include "base/str.h"
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

    assert_true(index >= r->n); /* in order */
    assert_int_equal(k, TOY_CLASSES);
    memcpy(r->logits[r->n++], logits, sizeof r->logits[0]);
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

/* The broken pictures as they were told of, one a line.  */
static void tell(void *ctx, const char *reason)
{
    str_printf(ctx, "%s\n", reason);
}

static int with_bad(const char *list, int64_t batch, int skip, struct metric *m,
                    struct rows *rows, struct str *told, struct err *e)
{
    struct dataset *d = dataset_open(list, &(struct dataset_opts){0}, e);
    const struct evaluate_opts o = {.pre = model->pre,
                                    .batch = batch,
                                    .skip_bad = skip,
                                    .on_bad = tell,
                                    .ctx = told};
    struct evaluator *ev =
        d ? evaluator_new(graph, device, params, d, &o, e) : NULL;
    int rc;

    if (!ev)
        fail_msg("%s", e->msg);
    metric_init(m, TOY_CLASSES, 0);
    rows->n = 0;
    str_clear(told);
    rc = evaluator_run(ev, m, take, rows, e);
    if (rc == 0)
        assert_int_equal(m->n + evaluator_bad(ev), dataset_count(d));
    evaluator_free(ev);
    dataset_free(d);
    return rc;
}

static void write_list(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* The figures and rows of the good pictures alone, for any batch: one of
 * broken ones alone, too.  */
static void test_bad(void **state)
{
    struct err e = {0};
    struct metric m, n;
    struct rows a, b;
    struct str told = {0};

    (void)state;
    picture("good.pgm", 64);
    picture("cut.pgm", 63);
    write_list("list.txt", "good.pgm 0\ncut.pgm 1\ncut.pgm 1\ngood.pgm 2\n"
                           "good.pgm 0\n");
    write_list("good.txt", "good.pgm 0\ngood.pgm 2\ngood.pgm 0\n");
    assert_int_equal(with_bad("list.txt", 3, 0, &m, &a, &told, &e), -1);
    assert_int_equal(e.code, ERR_FORMAT);
    assert_non_null(strstr(e.msg, "cut.pgm"));
    metric_release(&m);
    e = (struct err){0};
    assert_int_equal(with_bad("good.txt", 2, 0, &m, &a, &told, &e), 0);
    for (int64_t batch = 1; batch < 7; batch++) {
        assert_int_equal(with_bad("list.txt", batch, 1, &n, &b, &told, &e), 0);
        assert_int_equal(n.n, 3);
        assert_int_equal(b.n, 3);
        assert_memory_equal(a.logits, b.logits, 3 * sizeof a.logits[0]);
        assert_memory_equal(m.confusion, n.confusion,
                            TOY_CLASSES * TOY_CLASSES * sizeof(int64_t));
        assert_true(metric_loss(&m) == metric_loss(&n));
        assert_non_null(strstr(strchr(str_text(&told), '\n'), "cut.pgm"));
        metric_release(&n);
    }
    metric_release(&m);
    str_release(&told);
}

static void test_all_bad(void **state)
{
    struct err e = {0};
    struct metric m;
    struct rows rows;
    struct str told = {0};

    (void)state;
    picture("cut.pgm", 63);
    write_list("list.txt", "cut.pgm 1\ncut.pgm 0\n");
    assert_int_equal(with_bad("list.txt", 2, 1, &m, &rows, &told, &e), -1);
    assert_int_equal(e.code, ERR_INPUT);
    assert_non_null(strstr(e.msg, "none of 2 pictures"));
    metric_release(&m);
    str_release(&told);
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
        cmocka_unit_test(test_all_bad),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
