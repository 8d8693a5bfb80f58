/* checkpoint.c -- tests of what train/checkpoint.c writes and refuses; that a
 * run goes on from it to the same bytes is tested in loop.c.
 * SPDX-License-Identifier: MIT  */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fuzz.h"
#include "../toy.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "cpu/cpu.h"
#include "data/dataset.h"
#include "format/model.h"
#include "graph/graph.h"
#include "train/checkpoint.h"
#include "train/loop.h"
#include "train/recipe.h"

static struct device *device;
static struct dataset *train, *valid;

static int64_t last_step = 30; /* 0: the first one */

static void stop_at(void *ctx, int64_t step, int64_t steps, double loss,
                    double waiting)
{
    (void)steps;
    (void)loss;
    (void)waiting;
    *(volatile sig_atomic_t *)ctx = step == last_step || !last_step;
}

/* A run with M, which goes away, up to step 30.  */
static int run(struct model *m, const struct model *from,
               const char *const *more, struct err *e)
{
    volatile sig_atomic_t stop = 0, save = 0;
    struct recipe r;
    struct train_opts o = {.recipe = &r,
                           .train = train,
                           .valid = valid,
                           .device = device,
                           .run_dir = "run",
                           .from = from,
                           .stop = &stop,
                           .save = &save,
                           .on_step = stop_at,
                           .ctx = (void *)&stop};
    struct train_best best;
    int bad;

    toy_recipe(&r, more);
    *e = (struct err){0};
    bad = train_run(m, &o, &best, e);
    recipe_release(&r);
    model_free(m);
    return bad;
}

static struct model *last_of(const char *path)
{
    struct err e = {0};
    struct model *m = model_read(path, &e);

    if (!m)
        fail_msg("%s", e.msg);
    return m;
}

static struct model *last(void)
{
    return last_of("run/last.st");
}

static void interrupted(void)
{
    struct err e;

    run(toy_model(1), NULL, NULL, &e);
    if (e.code != ERR_INTERRUPTED)
        fail_msg("%s", e.msg);
}

/* Going on with M is refused with CODE and WORDS.  */
static void refused(struct model *m, const struct model *from,
                    const char *const *more, int code, const char *words)
{
    struct err e;

    run(m, from, more, &e);
    if ((int)e.code != code || !strstr(e.msg, words))
        fail_msg("code %d, message '%s', not %d with '%s'", e.code, e.msg, code,
                 words);
}

/* ---- tests ---- */

static void test_content(void **state)
{
    struct model *m, *best;
    struct err e = {0};
    json_t *loop;

    (void)state;
    interrupted();
    m = last();
    assert_string_equal(m->kind, "checkpoint");
    loop = json_loads(set_meta_get(&m->extra, "adze.loop"), 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(loop, "step")), 30);
    assert_int_equal(json_integer_value(json_object_get(loop, "seen")), 20);
    assert_int_equal(json_integer_value(json_object_get(loop, "best_step")),
                     25);
    assert_int_equal(json_array_size(json_object_get(loop, "rows")), 1);
    json_decref(loop);
    for (int i = 0; i < m->graph->n_value; i++) {
        const struct value *v = m->graph->value[i];
        char name[64];

        snprintf(name, sizeof name, "adze:momentum:%s", v->name);
        if (v->kind == VALUE_PARAM)
            assert_non_null(set_get(&m->extra, name));
        else
            assert_null(set_get(&m->extra, name));
    }
    model_free(m);
    best = model_read("run/best.st", &e);
    assert_non_null(best);
    assert_string_equal(best->kind, "model");
    assert_int_equal(best->extra.n, 0);
    assert_true(model_trained(best));
    model_free(best);
    toy_remove("run");
}

/* Another value of KEY in adze.loop.  */
static struct model *edited(const char *key, json_t *value)
{
    struct model *m = last();
    json_t *loop = json_loads(set_meta_get(&m->extra, "adze.loop"), 0, NULL);
    char *text;

    json_object_set_new(loop, key, value);
    text = json_dumps(loop, 0);
    set_meta_put(&m->extra, "adze.loop", text);
    free(text);
    json_decref(loop);
    return m;
}

static struct model *with_loop(const char *text)
{
    struct model *m = last();

    set_meta_put(&m->extra, "adze.loop", text);
    return m;
}

static void test_loop(void **state)
{
    static const char *const bad[] = {"", "[]", "{", "1"};

    (void)state;
    interrupted();
    for (size_t i = 0; i < COUNT(bad); i++)
        refused(with_loop(bad[i]), NULL, NULL, ERR_FORMAT,
                "no readable 'adze.loop'");
    refused(with_loop("{}"), NULL, NULL, ERR_FORMAT, "no 'recipe'");
    refused(edited("recipe", json_string("x: 1")), NULL, NULL, ERR_USAGE,
            "the checkpoint's recipe: recipe:1:1: no recipe key 'x'");
    refused(edited("step", json_integer(-1)), NULL, NULL, ERR_FORMAT,
            "step -1 of 50");
    refused(edited("step", json_integer(51)), NULL, NULL, ERR_FORMAT,
            "step 51 of 50");
    refused(edited("right", json_integer(-1)), NULL, NULL, ERR_FORMAT,
            "-1 right answers to 20 samples");
    refused(edited("right", json_integer(21)), NULL, NULL, ERR_FORMAT,
            "21 right answers to 20 samples");
    refused(edited("seen", json_integer(INT64_MAX)), NULL, NULL, ERR_FORMAT,
            "to 9223372036854775807 samples");
    refused(edited("best_step", json_integer(31)), NULL, NULL, ERR_FORMAT,
            "best at step 31, and is at 30");
    refused(edited("rows", json_pack("[[i,i]]", 1, 25)), NULL, NULL, ERR_FORMAT,
            "no 'epoch' in row 1");
    refused(edited("best", json_null()), NULL, NULL, ERR_FORMAT,
            "no 'loss', 'best' or 'start'");
    refused(edited("start", json_string("\xc3\xa4")), NULL, NULL, ERR_FORMAT,
            "no 'loss', 'best' or 'start'");
    refused(edited("arithmetic", json_string("z80")), NULL, NULL, ERR_USAGE,
            "instruction set z80");
    refused(edited("data", json_string("x")), NULL, NULL, ERR_USAGE,
            "the training data is not what");
    refused(edited("valid", json_string("")), NULL, NULL, ERR_USAGE,
            "the evaluation data is not what");
    toy_remove("run");
}

static void test_recipe(void **state)
{
    static const struct {
        const char *key, *words;
    } t[] = {
        {"global.seed=2", "with global.seed: 1, not 2:"},
        {"global.epochs=3", "with global.epochs: 2, not 3:"},
        {"train.batch=5", "with train.batch: 4, not 5:"},
        {"optimizer.kind=adamw", "with optimizer.kind: sgd, not adamw:"},
        {"optimizer.momentum=0.8", "momentum: 0.9"},
        {"train.augment=[]", "pad_crop"},
    };

    (void)state;
    interrupted();
    for (size_t i = 0; i < COUNT(t); i++)
        refused(last(), NULL, (const char *[]){t[i].key, NULL}, ERR_USAGE,
                t[i].words);
    toy_remove("run");
}

static void test_start(void **state)
{
    struct model *same = toy_model(1), *other = toy_model(2);
    struct err e;

    (void)state;
    interrupted();
    refused(last(), other, NULL, ERR_USAGE, "the model is not what");
    run(last(), same, NULL, &e);
    if (e.code)
        fail_msg("%s", e.msg);
    model_free(same);
    model_free(other);
    toy_remove("run");
}

/* The state NAME of the checkpoint left out, or T in its place.  */
static struct model *without(const char *name, const struct tensor *t)
{
    struct model *m = last();
    struct set old = m->extra;

    set_init(&m->extra);
    set_meta_put(&m->extra, "adze.loop", set_meta_get(&old, "adze.loop"));
    for (int64_t i = 0; i < old.n; i++) {
        const int hit = !strcmp(old.item[i].name, name);

        if (!hit || t)
            set_put(&m->extra, old.item[i].name, hit ? t : &old.item[i].t);
    }
    set_release(&old);
    return m;
}

static void test_state(void **state)
{
    static const char name[] = "adze:momentum:fc.weight";
    static float zero[12];
    const struct shape s = shape_make(2, (int64_t[]){4, 3});
    const struct tensor t = tensor_view(DTYPE_F32, &s, zero);

    (void)state;
    interrupted();
    refused(without(name, NULL), NULL, NULL, ERR_FORMAT,
            "no 'adze:momentum:fc.weight' of shape [3,4]");
    refused(without(name, &t), NULL, NULL, ERR_FORMAT, "of shape [3,4]");
    remove("run/best.st");
    refused(last(), NULL, NULL, ERR_INPUT, "the best model of the run");
    toy_remove("run");
}

/* F-121: of a run with averages, what they are of.  */
static void test_averages(void **state)
{
    static const char *const keys[] = {"model.ema=0.9", NULL};
    struct err e;

    (void)state;
    run(toy_model(1), NULL, keys, &e);
    assert_int_equal(e.code, ERR_INTERRUPTED);
    refused(without("adze:raw:fc.weight", NULL), NULL, keys, ERR_FORMAT,
            "no 'adze:raw:fc.weight' of shape [3,4]");
    refused(last(), NULL, NULL, ERR_USAGE, "with model.ema: 0.9, not 0:");
    toy_remove("run");
}

/* F-121: values that no run saves.  */
static void test_not_finite(void **state)
{
    static const char name[] = "adze:momentum:fc.weight";
    static float nan[12] = {NAN};
    const struct shape s = shape_make(2, (int64_t[]){3, 4});
    const struct tensor t = tensor_view(DTYPE_F32, &s, nan);
    const struct value *v;
    struct model *m;

    (void)state;
    interrupted();
    m = last();
    v = graph_value(m->graph, "fc.weight");
    ((float *)v->data.data)[0] = NAN;
    refused(m, NULL, NULL, ERR_NONFINITE, "loss nan");
    refused(without(name, &t), NULL, NULL, ERR_NONFINITE, "loss nan");
    model_free(last()); /* is the good one still */
    toy_remove("run");
}

/* A resumed run whose adze.loop is this text does one step.  */
static int resumes(const uint8_t *p, size_t n)
{
    char *text = xstrndup((const char *)p, n);
    struct err e = {0};
    struct model *m = model_read("kept.st", &e);

    assert_non_null(m);
    set_meta_put(&m->extra, "adze.loop", text);
    free(text);
    run(m, NULL, NULL, &e);
    return e.code == ERR_INTERRUPTED ? 0 : -1;
}

static void test_fuzz(void **state)
{
    enum { GOOD = 2, SEEDS = 6 };
    static const char *const key[SEEDS] = {NULL,    "bad",       "step",
                                           "right", "best_step", "loss_scale"};
    const int number[SEEDS] = {0, 0, 51, 21, 31, 0};
    struct fuzz_seed seed[SEEDS];
    struct model *m[SEEDS];

    (void)state;
    interrupted();
    for (int i = 0; i < SEEDS; i++) {
        const char *text;

        m[i] = !key[i]
                   ? last()
                   : edited(key[i], i < GOOD ? json_pack("[[i,s]]", 3, "broken")
                                             : json_integer(number[i]));
        text = set_meta_get(&m[i]->extra, "adze.loop");
        seed[i] = (struct fuzz_seed){text, strlen(text)};
    }
    assert_int_equal(rename("run/last.st", "kept.st"), 0);
    last_step = 0;
    for (int i = 0; i < SEEDS; i++)
        assert_int_equal(resumes(seed[i].p, seed[i].n), i < GOOD ? 0 : -1);
    fuzz_run(resumes, seed, SEEDS, NULL, 300, 1);
    assert_int_equal(fuzz_checkpoint((const uint8_t *)seed[0].p, seed[0].n), 0);
    assert_int_equal(fuzz_cut(fuzz_checkpoint, seed[0].p, seed[0].n), 0);
    fuzz_run(fuzz_checkpoint, seed, SEEDS, NULL, 10000, 2);
    last_step = 30;
    for (int i = 0; i < SEEDS; i++)
        model_free(m[i]);
    remove("kept.st");
    toy_remove("run");
}

static int setup(void **state)
{
    struct err e = {0};

    toy_setup(state);
    device = device_cpu_new(cpu_features());
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
    device_cpu_free(device);
    return toy_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),    cmocka_unit_test(test_loop),
        cmocka_unit_test(test_recipe),     cmocka_unit_test(test_start),
        cmocka_unit_test(test_state),      cmocka_unit_test(test_averages),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_fuzz),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
