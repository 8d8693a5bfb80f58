/* prepare.c -- pictures prepared by the GPU are those of the CPU, to the bit.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../picture.h"
#include "../toy.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "cuda/cuda.h"
#include "data/loader.h"
#include "data/stage.h"
#include "data/tar.h"
#include "emu.h"
#include "format/model.h"
#include "graph/graph.h"
#include "image/codec.h"
#include "image/job.h"
#include "offers.h"
#include "run/params.h"
#include "tensor/tensor.h"
#include "train/evaluate.h"
#include "train/loop.h"
#include "train/metric.h"
#include "train/recipe.h"

enum { N = 13, BATCH = 5, H = 11, W = 9 };

/* ---- batches ---- */

/* N pictures of noise of many sizes, the smallest of one pixel; those in BAD
 * (letters, 'a' for 0) are cut short.  */
static struct dataset *make_set(const char *bad)
{
    static const int size[][2] = {{9, 11}, {40, 7}, {7, 40}, {23, 19}, {1, 1}, {9, 30}, {30, 11}};
    struct err e = {0};
    struct dataset *d;
    struct out o;

    assert_int_equal(out_open(&o, "set.tar", &e), 0);
    for (int i = 0; i < N; i++) {
        const int *s = size[i % 7];
        struct str text = {0};
        struct image im;
        char name[32];

        picture_noise(&im, s[0], s[1]);
        str_printf(&text, "P6\n%d %d\n255\n", s[0], s[1]);
        str_addn(&text, (const char *)im.rgb, (size_t)(3 * s[0] * s[1]));
        snprintf(name, sizeof name, "%d/%02d.ppm", i % 3, i);
        assert_int_equal(
            tar_write(&o, name, text.data, text.len - (strchr(bad, 'a' + i) ? 2 : 0), &e), 0);
        image_release(&im);
        str_release(&text);
    }
    assert_int_equal(tar_write_end(&o, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
    d = dataset_open("set.tar", NULL, &e);
    if (!d)
        fail_msg("%s", e.msg);
    return d;
}

/* "op name=value op ...", of the size H x W.  */
static void parse(struct augment *a, const char *text)
{
    char *copy = xstrdup(text), *save = NULL;
    struct err e = {0};

    *a = (struct augment){.size = {H, W}};
    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        char *eq = strchr(w, '=');

        if (eq)
            *eq = 0;
        if (!eq)
            augment_add(a, augment_find(w));
        else if (augment_set(a, w, eq + 1, &e) < 0)
            fail_msg("%s", e.msg);
    }
    free(copy);
}

/* All batches of an epoch, from both.  */
static void compare_loaders(const char *what, const struct dataset *d, const struct loader_opts *o)
{
    const size_t each = (size_t)(o->pre.channels * H * W), bytes = BATCH * each * sizeof(float);
    struct device *dev = gpu();
    struct loader_opts there = *o;
    struct loader *a = loader_new(d, o), *b;
    float *x = xmalloc(bytes), *y = xmalloc(bytes), *on;
    struct pool *pool = pool_new(2);
    struct err e = {0};

    there.device = dev;
    b = loader_new(d, &there);
    on = dev->alloc(dev, bytes, &e);
    for (int64_t s = 0; s * BATCH < N; s++) {
        int64_t target[BATCH], also[BATCH], count, n;

        emu_seed((uint64_t)s);
        memset(y, 0, bytes);
        if (loader_batch(a, 1, s, x, target, &count, NULL, &e) < 0 ||
            loader_batch(b, 1, s, on, also, &n, pool, &e) < 0)
            fail_msg("%s: %s", what, e.msg);
        loader_ahead(b, 1, s + 1, pool);
        assert_int_equal(n, count);
        assert_memory_equal(target, also, (size_t)n * sizeof *target);
        assert_int_equal(dev->get(dev, y, on, bytes, &e), 0);
        assert_int_equal(dev->finish(dev, &e), 0);
        for (size_t i = 0; i < (size_t)(o->ragged ? count : BATCH) * each; i++)
            if (memcmp(&x[i], &y[i], sizeof *x))
                fail_msg("%s: number %zu of batch %d is %.9g, not %.9g", what, i, (int)s, y[i],
                         x[i]);
        for (int64_t i = 0; i < n; i++)
            assert_int_equal(loader_index(a, i), loader_index(b, i));
    }
    loader_free(a);
    loader_free(b);
    dev->release(dev, on, bytes);
    dev->free(dev);
    pool_free(pool);
    free(x);
    free(y);
}

static const struct preprocess pre = {.size = {H, W},
                                      .resize = PREPROCESS_EXACT,
                                      .interpolation = RESIZE_BICUBIC,
                                      .mean = {.485f, .456f, .406f},
                                      .std = {.229f, .224f, .225f},
                                      .channels = 3};

static struct loader_opts opts_of(const struct preprocess *p)
{
    return (struct loader_opts){
        .pre = *p,
        .sampler = {.n = N, .batch = BATCH, .shuffle = 1, .keep_last = 1, .seed = 4},
        .max_bad = N};
}

static void test_policies(void **state)
{
    static const char *const policies[] = {
        "flip",
        "pad_crop flip color_jitter",
        "pad_crop pad=3 mode=edge flip_y color_jitter hue=0.3 grey",
        "random_resized_crop flip color_jitter hue=0.5 random_erasing p=1",
        "random_resized_crop interpolation=nearest cutout fill=noise length=5",
        "random_resized_crop interpolation=bicubic flip_y color_jitter color_jitter",
        "resize short=12 interpolation=box center_crop flip",
        "resize short=8 random_crop pad=5 mode=reflect color_jitter cutout fill=grey",
        "resize short=30 center_crop grey p=1",
        "random_erasing random_resized_crop flip",
        "rotate flip color_jitter brightness=3",
    };
    struct dataset *d = make_set("");

    (void)state;
    for (size_t i = 0; i < COUNT(policies); i++) {
        struct loader_opts o = opts_of(&pre);
        struct augment a;

        parse(&a, policies[i]);
        o.augment = &a;
        o.ragged = i % 2;
        o.pre.bgr = i % 3 == 1;
        o.pre.channels = i % 4 == 3 ? 1 : 3;
        compare_loaders(policies[i], d, &o);
        augment_release(&a);
    }
    dataset_free(d);
}

static void test_preprocessing(void **state)
{
    struct dataset *d = make_set("");

    (void)state;
    for (int i = 0; i < 3 * 4; i++) {
        struct loader_opts o = opts_of(&pre);
        char what[64];

        o.pre.resize = (enum preprocess_resize)(i % 3);
        o.pre.resize_px = 13;
        o.pre.interpolation = (enum resize_kernel)(i / 3);
        snprintf(what, sizeof what, "resize %d, kernel %d", i % 3, i / 3);
        compare_loaders(what, d, &o);
    }
    dataset_free(d);
}

/* Pictures that cannot be used: replaced, and left out.  */
static void test_bad(void **state)
{
    struct dataset *d = make_set("aefm");
    struct augment a;

    (void)state;
    parse(&a, "random_resized_crop color_jitter color_jitter");
    for (int i = 0; i < 4; i++) {
        struct loader_opts o = opts_of(&pre);

        o.bad = i % 2 ? BAD_DROP : BAD_SKIP;
        o.augment = i / 2 ? &a : NULL;
        compare_loaders("bad pictures", d, &o);
    }
    augment_release(&a);
    dataset_free(d);
}

/* What is too large to be sent is made small first.  */
static void test_large(void **state)
{
    const struct preprocess p = {.size = {2, 3}, .std = {1, 1, 1}, .channels = 3};
    const int64_t n = STAGE_BYTES >> 20; /* a MiB each */
    struct device *d = gpu();
    struct err e = {0};
    struct stage *s = stage_new(d, &p, n, &e);
    struct picture_job j;
    struct image im, to;
    float want[18], got[18], *y = d->alloc(d, sizeof got, &e);
    const size_t before = emu_used();

    (void)state;
    picture_noise(&im, 750, 500);
    job_init(&j, im.w, im.h);
    job_resize(&j, &j.box, 3, 2, RESIZE_BILINEAR);
    assert_int_equal(job_run(&j, &to, &im, &e), 0);
    assert_int_equal(loader_prepare(&p, &to, want, &e), 0);
    assert_int_equal(stage_put(s, 0, &im, &j, &e), 0);
    for (int64_t i = 1; i < n; i++)
        stage_same(s, i, -1);
    assert_int_equal(stage_send(s, NULL, &e), 0);
    if (emu_present())
        assert_true(emu_used() - before < 1 << 20);
    assert_int_equal(stage_prepare(s, 1, y, &e), 0);
    assert_int_equal(d->get(d, got, y, sizeof got, &e), 0);
    assert_int_equal(d->finish(d, &e), 0);
    assert_memory_equal(got, want, sizeof got);
    image_release(&to);
    stage_free(s);
    d->release(d, y, sizeof got);
    d->free(d);
}

/* No memory to send: one line, and nothing is held.  */
static void test_memory(void **state)
{
    const size_t before = emu_used();
    struct loader_opts o = opts_of(&pre);
    struct dataset *d = make_set("");
    struct device *dev = gpu();
    struct err e = {0};
    int64_t target[BATCH], n;
    struct loader *l;
    float *y = dev->alloc(dev, BATCH * 3 * H * W * sizeof *y, &e);

    (void)state;
    if (!emu_present())
        skip();
    o.device = dev;
    l = loader_new(d, &o);
    emu_limit(emu_used() + 3 * 256 * sizeof *y);
    assert_int_equal(loader_batch(l, 0, 0, y, target, &n, NULL, &e), -1);
    assert_int_equal(e.code, ERR_NOMEM);
    assert_non_null(strstr(e.msg, "to send to the GPU"));
    emu_limit(SIZE_MAX);
    loader_free(l);
    dataset_free(d);
    dev->release(dev, y, BATCH * 3 * H * W * sizeof *y);
    dev->free(dev);
    assert_int_equal(emu_used(), before);
}

/* ---- runs ---- */

struct curve {
    double loss[8];
    int n;
    uint64_t model;
};

static void on_epoch(void *ctx, const struct train_row *row, int64_t n)
{
    struct curve *c = ctx;

    c->loss[c->n++] = row[n - 1].loss;
    c->loss[c->n++] = row[n - 1].valid_loss;
}

static uint64_t hash_of(const struct graph *g)
{
    uint64_t h = 0;

    for (int i = 0; i < g->n_value; i++)
        if (value_is_tensor(g->value[i]))
            h = 31 * h + hash_u64(g->value[i]->data.data, tensor_bytes(&g->value[i]->data));
    return h;
}

static struct curve train(struct device *d, int prepare)
{
    static const char *const more[] = {
        "global.epochs=2", "train.batch=12", "train.last=keep",
        "train.augment=[{random_resized_crop: {min_scale: 0.3}}, flip, color_jitter]", NULL};
    struct dataset *data, *valid;
    struct pool *pool = pool_new(2);
    struct model *m = toy_model(1);
    struct err e = {0};
    struct curve c = {0};
    struct recipe r;
    struct train_opts o = {.recipe = &r,
                           .device = d,
                           .prepare = prepare,
                           .pool = pool,
                           .on_epoch = on_epoch,
                           .ctx = &c,
                           .max_steps = 14};
    struct train_best best;

    toy_recipe(&r, more);
    o.train = data = dataset_open(TOY_TRAIN_SET, NULL, &e);
    o.valid = valid = dataset_open(TOY_VALID_SET, NULL, &e);
    if (!data || !valid || train_run(m, &o, &best, &e) < 0)
        fail_msg("%s", e.msg);
    c.model = hash_of(m->graph);
    recipe_release(&r);
    dataset_free(data);
    dataset_free(valid);
    model_free(m);
    pool_free(pool);
    d->free(d);
    return c;
}

/* With its input made there, a run is the same; and near the CPU's.  */
static void test_run(void **state)
{
    const struct curve a = train(gpu(), 1), b = train(gpu(), 0), c = train(device_cpu_new(0), 1);

    (void)state;
    assert_int_equal(a.n, 2);
    assert_int_equal(b.n, 2);
    assert_int_equal(a.model, b.model);
    for (int i = 0; i < a.n; i++) {
        assert_true(a.loss[i] == b.loss[i]);
        assert_float_equal(a.loss[i], c.loss[i], 1e-3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies), cmocka_unit_test(test_preprocessing),
        cmocka_unit_test(test_bad),      cmocka_unit_test(test_large),
        cmocka_unit_test(test_memory),   cmocka_unit_test(test_run),
    };

    return cmocka_run_group_tests(tests, toy_setup, toy_teardown);
}
