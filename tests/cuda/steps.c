/* steps.c -- steps of training on the GPU, beside those of the CPU.
 * SPDX-License-Identifier: MIT
 *
 * As in training.c the emulator draws the order of threads.  Losses, lengths of
 * gradients and in the end every parameter are near those of the CPU's plain
 * kernels.  */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../toy.h"
#include "../toy_run.h"
#include "base/err.h"
#include "base/mem.h"
#include "cpu/cpu.h"
#include "emu.h"
#include "graph/graph.h"
#include "offers.h"
#include "run/params.h"
#include "run/plan.h"
#include "tensor/compare.h"
#include "train/graph.h"
#include "train/lossscale.h"
#include "train/mix.h"
#include "train/recipe.h"

enum { BATCH = 6, STEPS = 4 };

/* Every offer of steps must have been taken by the end.  */
static struct offers offers;

static void start(struct toy_run *r, struct device *d, const char *network, const char *const *more,
                  int narrow)
{
    toy_start(r, toy_graph(network, 1), d, more,
              &(struct plan_opts){.batch = BATCH, .narrow = narrow});
}

static void near(const char *what, double a, double b, double bound)
{
    if (!(fabs(a - b) <= bound * fmax(1e-3, fabs(b))))
        fail_msg("%s is %.9g, not %.9g", what, a, b);
}

/* A step at a factor on the loss that A does not overflow with.  */
static void scaled_step(struct toy_run *a, const struct run_step *s, struct train_rates *rates,
                        struct lossscale *scale, struct train_result *r)
{
    struct err e = {0};
    int bad;

    do {
        rates->scale = scale->value;
        bad = train_step(a->plan, s, *rates, r, &e);
        assert_true(isfinite(r->loss));
    } while (bad > 0 && lossscale_halve(scale));
    assert_int_equal(bad, 0);
}

/* The loss and the length of each step, then every tensor; how often A
 * overflowed.  */
static int64_t compare_steps(struct toy_run *a, struct toy_run *b, double bound)
{
    struct train_rates rates = {0.05, 0.3, 0};
    struct lossscale scale = lossscale_new(&a->recipe);
    struct err e = {0};
    struct compare c;

    for (uint64_t n = 0; n < STEPS; n++) {
        const struct run_step s = {7, n};
        struct train_result r, q;

        emu_seed(n);
        mix_draw(&a->recipe, (int64_t)n, STEPS, a->plan);
        mix_draw(&b->recipe, (int64_t)n, STEPS, b->plan);
        scaled_step(a, &s, &rates, &scale, &r);
        assert_int_equal(train_step(b->plan, &s, rates, &q, &e), 0);
        near("loss", r.loss, q.loss, bound);
        near("length of the gradient", r.norm, q.norm, bound);
    }
    assert_int_equal(params_fetch(a->params, &e), 0);
    for (int i = 0; i < a->graph->n_value; i++) {
        const char *name = a->graph->value[i]->name;
        const struct tensor *t = params_get(a->params, name);

        if (!t || t->dtype != DTYPE_F32)
            continue;
        assert_int_equal(compare_tensors(&c, t, params_get(b->params, name), &e), 0);
        if (c.max_rel > 4 * bound || c.nonfinite)
            fail_msg("'%s' differs by %g of its largest", name, c.max_rel);
    }
    return scale.overflows;
}

static int64_t compare_recipe(const char *network, const char *const *more, int narrow,
                              double bound)
{
    struct toy_run a, b;
    int64_t overflows;

    start(&a, gpu(), network, more, narrow);
    start(&b, device_cpu_new(0), network, more, 0);
    offers_note(&offers, a.plan);
    overflows = compare_steps(&a, &b, bound);
    toy_end(&a);
    toy_end(&b);
    return overflows;
}

static void test_sgd(void **state)
{
    (void)state;
    compare_recipe(NULL, NULL, 0, 1e-4);
    compare_recipe(NULL,
                   (const char *[]){"optimizer.nesterov=no", "train.loss.smoothing=0.1",
                                    "model.ema=0.9", NULL},
                   0, 1e-4);
}

static const char *const mixing[] = {"train.mix.mixup=1", "train.mix.cutmix=1",
                                     "train.loss.smoothing=0.1", NULL};

/* Batches whose pictures are joined: as the CPU joins them, to the bit.  */
static void test_mixed(void **state)
{
    const struct plan_opts o = {.batch = BATCH, .keep_values = 1};
    int mixed = 0, cut = 0;
    struct toy_run r;
    struct err e = {0};

    (void)state;
    toy_start(&r, toy_graph(NULL, 1), gpu(), mixing, &o);
    for (int64_t n = 0; n < 2 * STEPS; n++) {
        const struct tensor *image = plan_value(r.plan, "image");
        float *x = xcalloc((size_t)tensor_count(image), sizeof *x);

        memcpy(x, image->data, tensor_bytes(image));
        mix_draw(&r.recipe, n, STEPS, r.plan);
        assert_int_equal(plan_run(r.plan, NULL, &e), 0);
        assert_int_equal(mix_apply(&r.recipe, n, STEPS, x, &image->shape, NULL, &e), 0);
        assert_memory_equal(plan_value(r.plan, "mix")->data, x, tensor_bytes(image));
        free(x);
        cut += *(float *)plan_value(r.plan, "adze:mix.share")->data == 0;
        mixed++;
    }
    toy_end(&r);
    assert_in_range(cut, 1, mixed - 1); /* both ways */
}

static void test_mixed_steps(void **state)
{
    (void)state;
    compare_recipe(NULL, mixing, 0, 1e-4);
}

static void test_adamw(void **state)
{
    (void)state;
    compare_recipe(NULL,
                   (const char *[]){"optimizer.kind=adamw", "optimizer.clip=0.5",
                                    "schedule.lr=0.001", "model.ema=0.9", NULL},
                   0, 1e-3);
}

/* ---- all parameters at once ---- */

/* Arrays of more than a chunk and of less.  */
static const char rows[] = "network: test\ninput: {size: [3, 8, 8]}\nbody:\n"
                           "  - flatten\n  - linear: {out: 80}\n  - relu\n"
                           "  - linear: {out: 9, bias: no}\n  - linear: {as: fc, out: 3}\n";

static const char *const sgd_keys[] = {"model.ema=0.9", NULL};
static const char *const adamw_keys[] = {"optimizer.kind=adamw", "schedule.lr=0.001",
                                         "optimizer.clip=0.01", "model.ema=0.9", NULL};

/* Running statistics of channels, and of rows.  */
static const char norms[] =
    "network: test\ninput: {size: [3, 8, 8]}\nbody:\n"
    "  - bn\n  - relu\n  - bn: {momentum: 0.3}\n  - relu\n  - flatten\n  - bn\n"
    "  - linear: {as: fc, out: 3, bias: no}\n";

static void test_together(void **state)
{
    (void)state;
    compare_recipe(norms, NULL, 0, 1e-3);
    compare_recipe(rows, sgd_keys, 0, 1e-4);
    compare_recipe(rows, adamw_keys, 0, 1e-3);
}

/* How many launches the update of NETWORK takes.  */
static uint64_t launches(const char *network, const char *const *keys)
{
    const struct run_step s = {7, 0};
    struct err e = {0};
    struct toy_run r;
    uint64_t n;

    start(&r, gpu(), network, keys, 0);
    assert_int_equal(plan_run(r.plan, &s, &e), 0);
    emu_seed(1);
    assert_int_equal(plan_update(r.plan, &e), 0);
    n = emu_launches();
    toy_end(&r);
    return n;
}

static void test_launches(void **state)
{
    (void)state;
    if (!emu_present())
        skip();
    assert_int_equal(launches(rows, NULL), 1);
    assert_int_equal(launches(rows, sgd_keys), 1);
    assert_int_equal(launches(rows, adamw_keys), 2);
    assert_int_equal(launches(norms, NULL), 2);
    /* and what packed weights take */
    assert_int_equal(launches(NULL, sgd_keys), launches(NULL, NULL));
}

/* ---- 16 bits ---- */

static void test_narrow(void **state)
{
    static const char drops[] = "network: test\ninput: {size: [3, 8, 8]}\nbody:\n"
                                "  - conv: {out: 16, kernel: 3, pad: 1}\n"
                                "  - bn\n  - relu\n"
                                "  - dropout: {rate: 0.3}\n  - droppath: {rate: 0.3}\n"
                                "  - conv: {out: 8, kernel: 1, bias: yes}\n  - global_avg_pool\n"
                                "  - linear: {as: fc, out: 3}\n";

    (void)state;
    compare_recipe(NULL, NULL, PRECISION_BF16, 0.1);
    compare_recipe(drops, NULL, PRECISION_BF16, 0.1);
    compare_recipe(NULL, NULL, PRECISION_FP16, 0.02);
    compare_recipe(drops, NULL, PRECISION_FP16, 0.02);
    compare_recipe(drops, NULL, PRECISION_FP32, 1e-4);
}

/* In fp16 a factor on the loss that is too large is halved until it is not; in
 * fp32 it changes next to nothing.  */
static void test_loss_scale(void **state)
{
    static const char *const sgd[] = {"global.loss_scale=dynamic from 1073741824", "model.ema=0.9",
                                      NULL};
    static const char *const adamw[] = {"global.loss_scale=1024", "optimizer.kind=adamw",
                                        "schedule.lr=0.001", "optimizer.clip=0.5", NULL};

    (void)state;
    assert_true(compare_recipe(NULL, sgd, PRECISION_FP16, 0.02) > 0);
    assert_int_equal(compare_recipe(NULL, sgd, PRECISION_FP32, 1e-4), 0);
    assert_int_equal(compare_recipe(NULL, adamw, PRECISION_FP32, 1e-3), 0);
}

static void test_all_taken(void **state)
{
    (void)state;
    offers_check(&offers, offer_is_of_steps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd),       cmocka_unit_test(test_adamw),
        cmocka_unit_test(test_mixed),     cmocka_unit_test(test_mixed_steps),
        cmocka_unit_test(test_together),  cmocka_unit_test(test_launches),
        cmocka_unit_test(test_narrow),    cmocka_unit_test(test_loss_scale),
        cmocka_unit_test(test_all_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
