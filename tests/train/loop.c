/* loop.c -- tests of train/loop.h: a run that is interrupted at any step, by
 * any number of threads, ends as one that is not.
 * SPDX-License-Identifier: MIT  */
#include "train/loop.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../toy.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "data/dataset.h"
#include "format/model.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/params.h"
#include "tensor/set.h"
#include "train/evaluate.h"
#include "train/metric.h"
#include "train/recipe.h"

enum { STEPS = 50 };

static struct device *device;
static struct pool *pools[4]; /* by number of threads */
static struct dataset *train, *valid;

/* What a run is told, and what came of it.  */
struct run {
    const char *const *more; /* recipe keys */
    const char *dir;
    int threads, no_valid;
    int64_t stop_at, save_at, max_steps;
    const struct model *from;
    /* result */
    struct err err;
    int best;
    int64_t n_row, steps;
    struct train_row row[8];
    char bytes[HASH_TEXT]; /* of the model that it ends with */
    float weight;          /* one of its */
    volatile sig_atomic_t stop, save;
};

static void on_epoch(void *ctx, const struct train_row *row, int64_t n)
{
    struct run *r = ctx;

    r->n_row = n;
    memcpy(r->row, row, (size_t)n * sizeof *row);
}

static void on_step(void *ctx, int64_t step, int64_t steps, double loss,
                    double waiting)
{
    struct run *r = ctx;

    assert_true(isfinite(loss));
    assert_true(waiting > 0 && waiting < 1);
    r->steps = steps;
    r->stop = step == r->stop_at;
    r->save |= step == r->save_at;
}

static float first_weight(const struct model *m)
{
    const struct value *v = graph_value(m->graph, "fc.weight");

    return v ? *(const float *)v->data.data : 0;
}

/* Train M, which goes away.  */
static int train_model(struct model *m, struct run *r)
{
    struct recipe recipe;
    struct train_opts o = {.recipe = &recipe,
                           .train = train,
                           .valid = r->no_valid ? NULL : valid,
                           .device = device,
                           .pool = pools[r->threads ? r->threads : 1],
                           .run_dir = r->dir,
                           .from = r->from,
                           .max_steps = r->max_steps,
                           .stop = &r->stop,
                           .save = &r->save,
                           .on_epoch = on_epoch,
                           .on_step = on_step,
                           .ctx = r};
    struct train_best best;
    struct err e = {0};
    int bad;

    toy_recipe(&recipe, r->more);
    r->err = (struct err){0};
    r->stop = r->save = 0;
    bad = train_run(m, &o, &best, &r->err);
    r->best = bad ? 0 : (int)best.epoch;
    assert_int_equal(bad, r->err.code ? -1 : 0);
    if (!bad)
        assert_int_equal(model_fingerprint(m, r->bytes, &e), 0);
    r->weight = first_weight(m);
    recipe_release(&recipe);
    model_free(m);
    return bad;
}

static int begin(struct run *r)
{
    return train_model(toy_model(1), r);
}

static int resume(struct run *r)
{
    struct err e = {0};
    struct model *m = model_read("run/last.st", &e);

    if (!m)
        fail_msg("%s", e.msg);
    return train_model(m, r);
}

static void done(const struct run *r)
{
    if (r->err.code)
        fail_msg("%s", r->err.msg);
}

/* ---- tests ---- */

static char whole[HASH_TEXT]; /* of the run that nothing interrupts */

static void test_threads(void **state)
{
    struct run r = {.threads = 1};

    (void)state;
    begin(&r);
    done(&r);
    memcpy(whole, r.bytes, sizeof whole);
    assert_int_equal(r.steps, STEPS);
    assert_int_equal(r.n_row, 2);
    assert_int_equal(r.row[1].step, STEPS);
    assert_true(r.row[1].loss < r.row[0].loss);
    assert_int_equal(r.best, 1);
    for (int t = 2; t <= 3; t++) {
        r = (struct run){.threads = t};
        begin(&r);
        done(&r);
        assert_string_equal(r.bytes, whole);
    }
    r = (struct run){.more = (const char *[]){"global.seed=2", NULL}};
    begin(&r);
    assert_string_not_equal(r.bytes, whole);
}

/* F-123, F-124.  */
static void test_every_step(void **state)
{
    (void)state;
    for (int k = 1; k < STEPS; k++) {
        struct run r = {.dir = "run", .stop_at = k, .threads = k % 3 + 1};

        begin(&r);
        assert_int_equal(r.err.code, ERR_INTERRUPTED);
        r.stop_at = 0;
        r.threads = (k / 3) % 3 + 1;
        resume(&r);
        done(&r);
        assert_string_equal(r.bytes, whole);
        assert_int_equal(r.n_row, 2);
        assert_int_equal(r.best, 1);
        toy_remove("run");
    }
}

/* All of them in one run, and once more when it has ended.  */
static void test_step_by_step(void **state)
{
    struct run r = {.dir = "run", .stop_at = 7};

    (void)state;
    begin(&r);
    while (r.err.code == ERR_INTERRUPTED) {
        r.stop_at += 7;
        r.threads = (int)(r.stop_at % 3) + 1;
        resume(&r);
    }
    done(&r);
    assert_string_equal(r.bytes, whole);
    resume(&r);
    done(&r);
    assert_string_equal(r.bytes, whole);
    toy_remove("run");
}

static void test_save_goes_on(void **state)
{
    struct run r = {.dir = "run", .save_at = 9};

    (void)state;
    begin(&r);
    done(&r);
    assert_string_equal(r.bytes, whole);
    toy_remove("run");
    r = (struct run){.save_at = 9}; /* nowhere to save to */
    begin(&r);
    done(&r);
    assert_string_equal(r.bytes, whole);
}

static void test_no_folder(void **state)
{
    struct run r = {.stop_at = 5};

    (void)state;
    begin(&r);
    assert_int_equal(r.err.code, ERR_INTERRUPTED);
    assert_non_null(strstr(r.err.msg, "step 5 of 50"));
    assert_non_null(strstr(r.err.msg, "nothing was saved"));
}

static void test_max_steps(void **state)
{
    struct run r = {.dir = "run", .max_steps = 30};

    (void)state;
    begin(&r);
    done(&r);
    assert_int_equal(r.n_row, 1);
    assert_string_not_equal(r.bytes, whole);
    r.max_steps = 0;
    resume(&r);
    done(&r);
    assert_string_equal(r.bytes, whole);
    toy_remove("run");
}

static void test_nonfinite(void **state)
{
    static const char *const keys[] = {"schedule.lr=1e30", NULL};
    struct run r = {.dir = "run", .more = keys};

    (void)state;
    begin(&r);
    assert_int_equal(r.err.code, ERR_NONFINITE);
    assert_non_null(strstr(r.err.msg, "learning rate"));
    assert_non_null(strstr(r.err.msg, "the first such value is '"));
    assert_int_equal(access("run/last.st", F_OK), -1);
    toy_remove("run");
}

/* Powers of two change no bit of fp32; what is too large is halved until it is
 * not.  */
static void test_loss_scale(void **state)
{
    static const char *const rule[] = {"optimizer.kind=sgd",
                                       "optimizer.kind=adamw"};
    static const char *const clip[] = {"optimizer.clip=0",
                                       "optimizer.clip=0.5"};
    static const char *const scale[] = {
        "global.loss_scale=none", "global.loss_scale=1024",
        "global.loss_scale=dynamic from 633825300114114700748351602688 every 9"};

    (void)state;
    for (int k = 0; k < 4; k++) {
        struct run r[3];

        for (int i = 0; i < 3; i++) {
            const char *const keys[] = {rule[k % 2], clip[k / 2], scale[i],
                                        "model.ema=0.9", NULL};

            r[i] = (struct run){.more = keys};
            begin(&r[i]);
            done(&r[i]);
            assert_true(r[i].weight == r[0].weight);
            for (int n = 0; n < 2; n++)
                assert_true(r[i].row[n].loss == r[0].row[n].loss);
        }
        assert_true(r[1].row[1].loss_scale == 1024);
        assert_true(r[2].row[1].loss_scale < 0x1p99);
        assert_int_equal(r[0].row[1].overflows + r[1].row[1].overflows, 0);
        assert_true(r[2].row[1].overflows > 9);
    }
}

/* It, and what it counts, is remembered.  */
static void test_loss_scale_resumed(void **state)
{
    static const char *const keys[] = {
        "global.loss_scale=dynamic from 1e30 every 4", NULL};
    char all[HASH_TEXT];
    struct run r = {.more = keys};
    struct train_row last;

    (void)state;
    begin(&r);
    done(&r);
    last = r.row[1];
    memcpy(all, r.bytes, sizeof all);
    for (int k = 1; k < STEPS; k += 6) {
        r = (struct run){.more = keys, .dir = "run", .stop_at = k};
        begin(&r);
        assert_int_equal(r.err.code, ERR_INTERRUPTED);
        r.stop_at = 0;
        resume(&r);
        done(&r);
        assert_string_equal(r.bytes, all);
        assert_true(r.row[1].loss_scale == last.loss_scale);
        assert_int_equal(r.row[1].overflows, last.overflows);
        toy_remove("run");
    }
}

/* The checkpoint says that the first epoch was the best, and best.st is what
 * was saved behind it.  */
static void first_is_best(void)
{
    struct err e = {0};
    struct model *last = model_read("run/last.st", &e);
    struct model *best = model_read("run/best.st", &e);
    struct model *first = model_read("run/epoch-000001.st", &e);
    const struct value *a, *b;

    if (!last || !best || !first)
        fail_msg("%s", e.msg);
    assert_non_null(
        strstr(set_meta_get(&last->extra, "adze.loop"), "\"best_step\":25,"));
    a = graph_value(best->graph, "bn1.running_mean");
    b = graph_value(first->graph, "bn1.running_mean");
    assert_memory_equal(a->data.data, b->data.data, tensor_bytes(&a->data));
    model_free(last);
    model_free(best);
    model_free(first);
}

/* F-126: an epoch that is as good as the best one, or whose loss is no
 * number, does not take its place; before and after an interruption.  */
static void test_ties(void **state)
{
    static const char *const still[] = {"schedule.lr=0", "model.freeze=['bn*']",
                                        NULL};
    static const char *const moves[] = {"schedule.lr=0", NULL};

    (void)state;
    for (int k = 0; k < 4; k++) {
        struct run r = {.dir = "run",
                        .more = k % 2 ? moves : still,
                        .stop_at = k < 2 ? 0 : 30};
        struct model *m = toy_model(1);
        const struct value *v = graph_value(m->graph, "bn1.running_var");

        /* a variance below 0: training takes that of the batch */
        for (int64_t i = 0; k % 2 && i < tensor_count(&v->data); i++)
            ((float *)v->data.data)[i] = -1e6f;
        train_model(m, &r);
        if (r.stop_at) {
            r.stop_at = 0;
            resume(&r);
        }
        done(&r);
        assert_int_equal(r.n_row, 2);
        assert_true(r.row[0].valid_top1 == r.row[1].valid_top1);
        assert_int_equal(isnan(r.row[1].valid_loss), k % 2);
        assert_int_equal(r.best, 1);
        first_is_best();
        toy_remove("run");
    }
}

/* A statistic that is not finite shows in no loss: nothing is made of that
 * epoch, and no checkpoint is promised that is not there.  */
static void test_infinite(void **state)
{
    struct run r = {.dir = "run"};
    struct model *m = toy_model(1);
    const struct value *v = graph_value(m->graph, "bn1.running_var");

    (void)state;
    ((float *)v->data.data)[0] = INFINITY;
    train_model(m, &r);
    assert_int_equal(r.err.code, ERR_NONFINITE);
    assert_non_null(strstr(r.err.msg, "'bn1.running_var' holds a value that is "
                                      "not finite; there is no checkpoint"));
    assert_int_equal(r.n_row, 0);
    assert_int_not_equal(access("run/best.st", F_OK), 0);
    assert_int_not_equal(access("run/last.st", F_OK), 0);
    toy_remove("run");
}

/* With no evaluation data the last model comes out; a frozen layer is as it
 * was, with its statistics.  */
static void test_frozen(void **state)
{
    static const char *const keys[] = {"model.freeze=['conv1*', 'bn1*']", NULL};
    struct run r = {.dir = "run", .more = keys, .no_valid = 1};
    struct model *before = toy_model(1), *after;
    struct err e = {0};

    (void)state;
    begin(&r);
    done(&r);
    assert_int_equal(r.best, 0);
    assert_true(isnan(r.row[0].valid_top1));
    after = model_read("run/last.st", &e);
    assert_non_null(after);
    for (int i = 0; i < before->graph->n_value; i++) {
        const struct value *v = before->graph->value[i];
        const struct value *w = graph_value(after->graph, v->name);

        if (!v->data.data)
            continue;
        assert_int_equal(
            memcmp(v->data.data, w->data.data, tensor_bytes(&v->data)) == 0,
            !strncmp(v->name, "conv1", 5) || !strncmp(v->name, "bn1", 3));
    }
    model_free(before);
    model_free(after);
    toy_remove("run");
}

/* A last batch that is not full, accumulated rows, the step schedule.  */
static void test_last_batch(void **state)
{
    static const char *const keys[] = {
        "train.batch=7",        "train.last=keep",         "schedule.kind=step",
        "optimizer.kind=adamw", "schedule.milestones=[1]", NULL};
    struct run r = {.more = keys}, s = {.more = keys, .dir = "run"};

    (void)state;
    begin(&r);
    done(&r);
    assert_int_equal(r.steps, 30);
    s.stop_at = 15; /* right behind an epoch: after the short batch */
    s.threads = 2;
    begin(&s);
    s.stop_at = 29;
    resume(&s);
    s.stop_at = 0;
    resume(&s);
    done(&s);
    assert_string_equal(s.bytes, r.bytes);
    toy_remove("run");
}

/* ---- averages ---- */

static const char *const averaged[] = {"model.ema=0.9", "train.batch=7",
                                       "train.last=keep", NULL};

static double valid_loss(const struct model *m)
{
    const struct evaluate_opts o = {.pre = m->pre, .batch = 256};
    struct err e = {0};
    struct graph *g = pass_simplify(m->graph, &e);
    struct params *ps = params_new(g, device, &e);
    struct evaluator *ev = evaluator_new(g, device, ps, valid, &o, &e);
    struct metric got;
    double loss;

    if (!ev)
        fail_msg("%s", e.msg);
    metric_init(&got, TOY_CLASSES, 0);
    assert_int_equal(evaluator_run(ev, &got, NULL, NULL, &e), 0);
    loss = metric_loss(&got);
    metric_release(&got);
    evaluator_free(ev);
    params_free(ps);
    graph_free(g);
    return loss;
}

/* What a checkpoint holds as a model evaluates as the run said that it does,
 * and is not what the next step goes on from.  */
static void check_evaluated(const struct run *r)
{
    struct err e = {0};
    struct model *m = model_read("run/last.st", &e);
    const struct tensor *raw;
    const struct value *v;

    if (!m)
        fail_msg("%s", e.msg);
    v = graph_value(m->graph, "fc.weight");
    raw = set_get(&m->extra, "adze:raw:fc.weight");
    assert_non_null(raw);
    assert_non_null(set_get(&m->extra, "adze:raw:bn1.running_mean"));
    assert_non_null(set_get(&m->extra, "adze:momentum:fc.weight"));
    assert_null(set_get(&m->extra, "adze:ema:fc.weight"));
    assert_memory_not_equal(v->data.data, raw->data, tensor_bytes(raw));
    assert_true(valid_loss(m) == r->row[r->n_row - 1].valid_loss);
    model_free(m);
}

static void test_averages(void **state)
{
    struct run r = {.more = averaged}, s = {.more = averaged, .dir = "run"};

    (void)state;
    begin(&r);
    done(&r);
    s.stop_at = 4;
    begin(&s);
    while (s.err.code == ERR_INTERRUPTED) {
        s.stop_at += 4;
        s.threads = (int)(s.stop_at / 4 % 3) + 1;
        resume(&s);
    }
    done(&s);
    assert_string_equal(s.bytes, r.bytes);
    check_evaluated(&s);
    toy_remove("run");
}

/* Of a run without evaluation data the averages come out, too.  */
static void test_averages_last(void **state)
{
    struct run r = {.more = averaged, .dir = "run", .no_valid = 1};
    struct model *m;
    struct err e = {0};

    (void)state;
    begin(&r);
    done(&r);
    assert_int_equal(r.best, 0);
    m = model_read("run/last.st", &e);
    assert_non_null(m);
    assert_non_null(set_get(&m->extra, "adze:raw:fc.weight"));
    assert_true(first_weight(m) == r.weight);
    model_free(m);
    toy_remove("run");
}

static void test_refusals(void **state)
{
    static const char *const batch[] = {"train.batch=101", NULL};
    struct run r = {.more = batch};

    (void)state;
    begin(&r);
    assert_int_equal(r.err.code, ERR_USAGE);
    r = (struct run){0};
    train_model(model_new(toy_graph("network: two\ninput: {size: [1, 8, 8]}\n"
                                    "body: [flatten, {linear: {out: 2}}]\n",
                                    1)),
                &r);
    assert_int_equal(r.err.code, ERR_SHAPE);
    assert_non_null(strstr(r.err.msg, "classes=3"));
    r = (struct run){.more = (const char *[]){"model.freeze=['*']", NULL}};
    begin(&r);
    assert_int_equal(r.err.code, ERR_USAGE);
}

static int setup(void **state)
{
    struct err e = {0};

    toy_setup(state);
    device = device_cpu_new(cpu_features());
    for (int t = 1; t <= 3; t++)
        pools[t] = pool_new(t);
    train = dataset_open(TOY_TRAIN_SET, &(struct dataset_opts){0}, &e);
    valid = dataset_open(TOY_VALID_SET, &(struct dataset_opts){0}, &e);
    if (!train || !valid)
        fail_msg("%s", e.msg);
    return 0;
}

static int teardown(void **state)
{
    dataset_free(train);
    dataset_free(valid);
    for (int t = 1; t <= 3; t++)
        pool_free(pools[t]);
    device_cpu_free(device);
    return toy_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_every_step),
        cmocka_unit_test(test_step_by_step),
        cmocka_unit_test(test_save_goes_on),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_max_steps),
        cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_loss_scale),
        cmocka_unit_test(test_loss_scale_resumed),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_infinite),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_last_batch),
        cmocka_unit_test(test_averages),
        cmocka_unit_test(test_averages_last),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
