/* training.c -- networks on the GPU, forward and back, against the ops'
 * definitions in double.
 * SPDX-License-Identifier: MIT
 *
 * The kernels run in the emulator (emu/), threads and blocks in an order that
 * is drawn: no order may change a bit.  (scripts/gpu-check runs the same on a
 * GPU.)  A plan may be as far from truth as the
 * same in float node by node, FACTOR times.  */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../interp.h"
#include "../pass_check.h"
#include "../slow.h"
#include "../toy.h"
#include "../toy_run.h"
#include "../training_check.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "cases.h"
#include "cpu/cpu.h"
#include "cuda/cuda.h"
#include "emu.h"
#include "graph/graph.h"
#include "offers.h"
#include "op/ops.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"
#include "run/profile.h"
#include "run/step.h"
#include "tensor/compare.h"
#include "train/graph.h"
#include "train/initial.h"
#include "train/lossscale.h"
#include "train/mix.h"
#include "train/recipe.h"

enum { FACTOR = 24 };
/* Of gradients in 16 bits, where a rounding may turn the sign that a clip asks
 * for.  */
static const double off_by[] = {[PRECISION_BF16] = 0.25, [PRECISION_FP16] = 0.1};

/* Every offer must have been taken by the end.  */
static struct offers offers;

static struct plan *bind(const struct graph *g, const struct device *d, struct params *ps,
                         int narrow, struct interp *inputs)
{
    return training_check_plan(g, d, ps, NULL, narrow, NULL, inputs);
}

static void compare(const struct cuda_case *c, const struct graph *g, struct plan *p,
                    struct interp *truth, struct interp *plain, int narrow)
{
    for (int i = 0; i < g->n_output; i++) {
        const char *name = g->output[i].name;
        const struct tensor *x = interp_output(truth, name), *y = plan_output(p, name);
        const double a = training_check_far(x, interp_output(plain, name));
        const double b = narrow ? training_check_off(x, y) : training_check_far(x, y);

        if (!(b <= (narrow ? off_by[narrow] : FACTOR * a + 1e-6)))
            fail_msg("%s: '%s' is off by %g in %s (%g node by node)", c->what, name, b,
                     plan_precisions[narrow], a);
    }
}

/* Twice, threads in another order: the same bits.  */
static void check_graph(const struct cuda_case *c, const struct graph *g, struct interp *truth,
                        struct interp *plain, int narrow)
{
    /* the kernels are the same for each form of numbers */
    const int orders = SLOW_RUN && narrow != PRECISION_BF16 ? 1 : 2;
    struct err e = {0};
    struct device *d = device_cuda_new(0, &e);
    struct params *ps = d ? params_new(g, d, &e) : NULL;
    struct str first = {0}, again = {0};
    struct plan *p;

    if (!ps)
        fail_msg("%s", e.msg);
    p = bind(g, d, ps, narrow, plain);
    for (int k = 0; k < orders; k++) {
        emu_seed((uint64_t)k + 1);
        if (plan_run(p, NULL, &e) < 0)
            fail_msg("%s: %s", c->what, e.msg);
        training_check_bits(p, g, k ? &again : &first);
    }
    offers_note(&offers, p);
    compare(c, g, p, truth, plain, narrow);
    if (orders == 2 && strcmp(str_text(&first), str_text(&again)))
        fail_msg("%s: other bits in another order of threads", c->what);
    str_release(&first);
    str_release(&again);
    plan_free(p);
    params_free(ps);
    d->free(d);
}

/* Kept, every value is what its op makes of the others, and lies plain.  */
static void check_kept(const struct cuda_case *c, const struct graph *g, struct interp *truth,
                       struct interp *plain)
{
    const struct plan_opts o = {.batch = truth->batch, .keep_values = 1};
    struct err e = {0};
    struct device *d = gpu();
    struct params *ps = params_new(g, d, &e);
    struct plan *p = plan_new(g, d, ps, &o, &e);

    if (!p)
        fail_msg("%s", e.msg);
    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_INPUT)
            memcpy(plan_value(p, g->value[i]->name)->data, plain->value[i].data,
                   tensor_bytes(&plain->value[i]));
    assert_int_equal(plan_run(p, NULL, &e), 0);
    for (int i = 0; i < g->n_value; i++) {
        const struct tensor *t = plan_find(p, g->value[i]->name);

        if (g->value[i]->kind != VALUE_NODE || t->dtype != DTYPE_F32 || !t->data)
            continue;
        if (training_check_far(&truth->value[i], t) >
            FACTOR * training_check_far(&truth->value[i], &plain->value[i]) + 1e-6)
            fail_msg("%s: '%s' is not what was kept", c->what, g->value[i]->name);
    }
    plan_free(p);
    params_free(ps);
    d->free(d);
}

static void check(const struct cuda_case *c, struct graph *g, int64_t batch)
{
    struct interp truth, plain;

    interp_fill(&truth, g, batch, 11, 1);
    interp_go(&truth);
    interp_fill(&plain, g, batch, 11, 0);
    interp_go(&plain);
    for (int narrow = PRECISION_FP32; narrow <= PRECISION_FP16; narrow++)
        check_graph(c, g, &truth, &plain, narrow);
    if (!SLOW_RUN || batch == 1)
        check_kept(c, g, &truth, &plain);
    interp_release(&plain);
    interp_release(&truth);
    graph_free(g);
}

static void test_training(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        check(&cases[i], training_check_graph(cases[i].size, cases[i].body), TRAINING_BATCH);
}

/* Statistics that do not move, gradients of everything else.  */
static void test_frozen(void **state)
{
    static const struct cuda_case c = {"frozen statistics", "[3, 8, 8]",
                                       "  - conv: {out: 12, kernel: 3}\n" BN_RELU
                                       "  - conv: {out: 8, kernel: 1}\n  - bn: {affine: no}\n"};
    struct str text = {0};
    struct graph *n, *g;

    (void)state;
    str_printf(&text,
               "network: test\ninput: {size: %s}\nbody:\n%s"
               "  - global_avg_pool\n  - bn\n  - linear: {as: fc, out: 3}\n",
               c.size, c.body);
    n = toy_graph(str_text(&text), 5);
    g = pass_check_join(n, NULL);
    for (int i = 0; i < g->n_node; i++)
        g->node[i]->train = 0;
    check(&c, pass_check_differentiate(g), TRAINING_BATCH);
    graph_free(g);
    graph_free(n);
    str_release(&text);
}

/* Mean and deviation of each channel of Y, as it was kept in bf16.  */
static void check_moments(const struct tensor *y, const struct tensor *mean,
                          const struct tensor *invstd, double eps)
{
    const int64_t c = y->shape.dim[1], area = y->shape.dim[2] * y->shape.dim[3];
    const int64_t rows = y->shape.dim[0] * area;
    const float *x = y->data;

    assert_true(rows > 128);
    for (int64_t k = 0; k < c; k++) {
        double m = 0, square = 0;

        for (int64_t i = 0; i < rows; i++)
            m += x[(i / area * c + k) * area + i % area] / (double)rows;
        for (int64_t i = 0; i < rows; i++)
            square += pow(x[(i / area * c + k) * area + i % area] - m, 2);
        square = sqrt(square / (double)rows + eps);
        assert_true(fabs(((float *)mean->data)[k] - m) <= 32 * 0x1p-23 * (fabs(m) + square));
        assert_true(fabs(((float *)invstd->data)[k] * square - 1) <= 32 * 0x1p-23);
    }
}

/* Statistics are made beside the convolution, of what it stores: in two columns
 * of blocks and less than one, the last tile of rows not full.  */
static void test_beside(void **state)
{
    static const char *const body[] = {
        "  - conv: {as: y, out: 40, kernel: 3, bias: yes}\n  - bn\n",
        "  - conv: {as: y, out: 272, kernel: 1, groups: 2}\n  - bn\n"};

    (void)state;
    for (size_t i = 0; i < COUNT(body); i++) {
        struct graph *g = training_check_graph("[16, 10, 9]", body[i]);
        const struct node *stats = NULL;
        struct err e = {0};
        struct device *d = gpu();
        struct params *ps;
        struct plan *p;
        struct interp inputs;
        int beside = 0;

        for (int k = 0; k < g->n_node; k++)
            if (node_is(g->node[k], "bnstats"))
                stats = g->node[k];
        graph_output(g, "y", graph_value(g, "y"), 1);
        graph_output(g, "mean", stats->out[0], 1);
        graph_output(g, "invstd", stats->out[1], 1);
        interp_fill(&inputs, g, TRAINING_BATCH, 11, 0);
        ps = params_new(g, d, &e);
        p = bind(g, d, ps, 1, &inputs);
        assert_int_equal(plan_run(p, NULL, &e), 0);
        for (int k = 0; k < p->n_step; k++)
            beside += p->step[k].nodes.n_side;
        assert_int_equal(beside, 1);
        check_moments(plan_output(p, "y"), plan_output(p, "mean"), plan_output(p, "invstd"),
                      attr_real(stats, "eps"));
        plan_free(p);
        params_free(ps);
        interp_release(&inputs);
        graph_free(g);
        d->free(d);
    }
}

/* The bits of a step of G in bf16 or fp16, with siblings one by one or not; how
 * many convolutions are done with another, and statistics beside one.  */
static void siblings_step(const struct graph *g, int narrow, int no_siblings, struct str *bits,
                          int counts[2])
{
    const struct plan_opts o = {
        .batch = TRAINING_BATCH, .narrow = narrow, .no_siblings = no_siblings};
    struct err e = {0};
    struct device *d = gpu();
    struct params *ps = params_new(g, d, &e);
    struct plan *p = plan_new(g, d, ps, &o, &e);
    struct interp inputs;

    if (!p)
        fail_msg("%s", e.msg);
    interp_fill(&inputs, g, TRAINING_BATCH, 11, 0);
    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_INPUT)
            memcpy(plan_value(p, g->value[i]->name)->data, inputs.value[i].data,
                   tensor_bytes(&inputs.value[i]));
    assert_int_equal(plan_run(p, NULL, &e), 0);
    training_check_bits(p, g, bits);
    counts[0] = counts[1] = 0;
    for (int k = 0; k < p->n_step; k++) {
        const struct step *s = &p->step[k];

        counts[0] += s->joined && node_is(s->nodes.node[0], "conv2d");
        counts[1] += s->nodes.n_side;
    }
    interp_release(&inputs);
    plan_free(p);
    params_free(ps);
    d->free(d);
}

/* So they are of siblings, with the bits that they have one by one, in blocks
 * of 64 and of 128 columns; the one without statistics is alone.  */
static void test_siblings_beside(void **state)
{
    static const struct cuda_case c = {
        "siblings beside statistics", "[16, 10, 9]",
        "  - concat:\n    - do: [conv: {out: 40, kernel: 1}, bn, relu]\n"
        "    - do: [conv: {out: 16, kernel: 1, bias: yes}]\n"
        "    - do: [conv: {out: 136, kernel: 1}, bn]\n"
        "    - do: [conv: {out: 72, kernel: 1, bias: yes}, bn, relu]\n"};
    struct graph *g = training_check_graph(c.size, c.body);

    (void)state;
    for (int narrow = PRECISION_BF16; narrow <= PRECISION_FP16; narrow++) {
        struct str together = {0}, apart = {0};
        int counts[2];

        siblings_step(g, narrow, 1, &apart, counts);
        assert_int_equal(counts[0], 0);
        assert_int_equal(counts[1], 3);
        siblings_step(g, narrow, 0, &together, counts);
        assert_int_equal(counts[0], 2);
        assert_int_equal(counts[1], 3);
        assert_string_equal(str_text(&together), str_text(&apart));
        str_release(&together);
        str_release(&apart);
    }
    check(&c, g, TRAINING_BATCH);
}

/* Of numbers, not of pictures: no network of models/ begins with it.  */
static void test_embedding(void **state)
{
    static const struct cuda_case c = {"embedding", NULL, NULL};
    const struct shape x = {.rank = 2, .dim = {1, 5}, .batch = 1};
    const struct attr_text rows[] = {{"rows", "2"}, {"dim", "7"}, {0}};
    const struct attr_text mean[] = {{"axes", "[1]"}, {"keep", "no"}, {0}};
    struct graph *n = graph_new("test"), *g;
    struct err e = {0};
    struct value *in[] = {graph_input(n, "x", DTYPE_I64, &x), NULL};
    struct node *a = graph_add(n, op_find("embedding"), "table", in, 1, rows, &e);
    struct node *b = a ? graph_add(n, op_find("reduce"), "mean", a->out, 1, mean, &e) : NULL;

    (void)state;
    if (!b || initial_fill(n, 3, NULL, &e) < 0)
        fail_msg("%s", e.msg);
    graph_output(n, "logits", b->out[0], 1);
    g = pass_check_join(n, NULL);
    check(&c, pass_check_differentiate(g), TRAINING_BATCH);
    graph_free(g);
    graph_free(n);
}

/* More pictures than are moved at a time, and more channels than a warp adds up
 * at a time.  */
static void test_moved(void **state)
{
    static const struct cuda_case c = {
        "moved taps of many", "[2, 3, 4]",
        "  - conv: {out: 270, kernel: 1}\n  - deformconv:\n"
        "      of: [identity, conv: {out: 18, kernel: 1, bias: yes}]\n"
        "      out: 5\n      kernel: 3\n      pad: 1\n      groups: 5\n"};

    (void)state;
    check(&c, training_check_graph(c.size, c.body), 17);
}

static void test_inference(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str text = {0};

        str_printf(&text,
                   "network: test\ninput: {size: %s}\nbody:\n%s"
                   "  - global_avg_pool\n  - linear: {as: fc, out: 3}\n",
                   cases[i].size, cases[i].body);
        for (int batch = 1; batch <= (SLOW_RUN ? 1 : TRAINING_BATCH); batch += 2)
            check(&cases[i], toy_graph(str_text(&text), 5), batch);
        str_release(&text);
    }
}

/* ---- steps, beside those of the CPU ---- */

enum { BATCH = 6, STEPS = 4 };

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

/* ---- profiles ---- */

/* Each step has the time between two marks, also of work that is replayed; the
 * ceilings are measured in memory that is given back.  */
static void test_profile(void **state)
{
    const struct plan_opts o = {.batch = BATCH, .narrow = 1, .profile = 1};
    static const enum peak known[] = {PEAK_COPY, PEAK_F32, PEAK_BF16, PEAK_F16, PEAK_I8};
    struct err e = {0};
    struct ceilings c;
    struct toy_run r;
    double some = 0;
    size_t used;

    (void)state;
    start(&r, gpu(), NULL, NULL, 1);
    plan_free(r.plan);
    r.plan = plan_new(r.graph, r.device, r.params, &o, &e);
    assert_non_null(r.plan);
    for (int i = 0; i < 5; i++) {
        const struct run_step s = {7, 0};

        assert_int_equal(plan_run(r.plan, &s, &e), 0);
        assert_int_equal(plan_update(r.plan, &e), 0);
    }
    for (int k = 0; k < 2; k++)
        assert_int_equal(r.plan->work[k].timed, 3);
    assert_true(r.plan->work[1].kept != NULL);
    for (int i = 0; i < r.plan->n_step; i++) {
        assert_true(plan_step(r.plan, i).seconds >= 0);
        some += plan_step(r.plan, i).seconds;
    }
    assert_true(some > 0 && some < 100);
    used = emu_used();
    for (size_t k = 0; k < COUNT(known); k++)
        assert_true(r.device->peak(r.device, known[k], NULL) > 0);
    profile_measure(&c, r.plan, NULL);
    assert_true(c.at[PEAK_BF16] > 0 && c.at[PEAK_F16] == 0);
    assert_int_equal(emu_used(), used);
    assert_int_equal(r.device->finish(r.device, &e), 0);
    toy_end(&r);
}

static struct plan *evaluation(const struct toy_run *r, const struct graph *g, struct params *ps)
{
    const struct plan_opts o = {.batch = BATCH, .narrow = PRECISION_BF16};
    struct err e = {0};
    struct plan *p = plan_new(g, r->device, ps, &o, &e);
    struct tensor *x;

    if (!p)
        fail_msg("%s", e.msg);
    x = plan_value(p, "image");
    memcpy(x->data, plan_value(r->plan, "image")->data, tensor_bytes(x));
    return p;
}

/* Parameters are packed for a plan that came when the steps had been recorded;
 * they are so again behind the next step.  */
static void test_packed_later(void **state)
{
    const struct train_rates rates = {0.05, 0, 0};
    struct err e = {0};
    struct train_result q;
    struct graph *g;
    struct params *ps;
    struct plan *a, *b;
    struct toy_run r;

    (void)state;
    start(&r, gpu(), NULL, NULL, 0);
    g = graph_copy(r.network);
    a = NULL;
    for (uint64_t n = 0; n < 2 * STEPS; n++) {
        const struct run_step s = {7, n};

        if (n == STEPS)
            a = evaluation(&r, g, r.params);
        assert_int_equal(train_step(r.plan, &s, rates, &q, &e), 0);
    }
    assert_int_equal(params_store(r.params, g, NULL, &e), 0);
    ps = params_new(g, r.device, &e);
    b = evaluation(&r, g, ps);
    assert_int_equal(plan_run(a, NULL, &e), 0);
    assert_int_equal(plan_run(b, NULL, &e), 0);
    assert_memory_equal(plan_output(a, "logits")->data, plan_output(b, "logits")->data,
                        tensor_bytes(plan_output(a, "logits")));
    plan_free(a);
    plan_free(b);
    params_free(ps);
    toy_end(&r);
    graph_free(g);
}

static void test_narrow(void **state)
{
    static const char drops[] = "network: test\ninput: {size: [3, 8, 8]}\nbody:\n"
                                "  - conv: {out: 16, kernel: 3, pad: 1}\n" BN_RELU
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

/* quantised.c and vendor.c have those.  */
static int is_elsewhere(const struct kernel *k)
{
    return k->quantised || strstr(k->op, "quantize") || !strcmp(k->name, "conv2d_computed") ||
           !strcmp(k->name, "cublas") || !strncmp(k->name, "cudnn", 5);
}

static void test_all_taken(void **state)
{
    static const char *const dir[] = {"forward", "backward", "update"};
    struct device *d = gpu();
    int missing = 0;

    (void)state;
    for (const struct kernel *const *k = d->kernels; *k; k++)
        if (!offer_is_taken(&offers, *k) && !is_elsewhere(*k)) {
            print_message("# no plan takes %s of %s, %s, in %s\n", (*k)->name, (*k)->op,
                          dir[(*k)->dir], layout_name((*k)->reads));
            missing++;
        }
    d->free(d);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),        cmocka_unit_test(test_inference),
        cmocka_unit_test(test_frozen),          cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_moved),           cmocka_unit_test(test_beside),
        cmocka_unit_test(test_siblings_beside), cmocka_unit_test(test_sgd),
        cmocka_unit_test(test_adamw),           cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_mixed_steps),     cmocka_unit_test(test_together),
        cmocka_unit_test(test_launches),        cmocka_unit_test(test_packed_later),
        cmocka_unit_test(test_narrow),          cmocka_unit_test(test_loss_scale),
        cmocka_unit_test(test_all_taken),       cmocka_unit_test(test_profile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
