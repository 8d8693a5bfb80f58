/* vendor.c -- kernels of cuBLASLt and cuDNN in plans: taken where they are
 * right and faster, and only there.
 * SPDX-License-Identifier: MIT
 *
 * The libraries are those of the emulator (emu/vendor.cc), which check every
 * call and compute by plain loops.  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../interp.h"
#include "../toy.h"
#include "../training_check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cases.h"
#include "cuda/choices.h"
#include "cuda/cuda.h"
#include "emu.h"
#include "graph/graph.h"
#include "offers.h"
#include "run/params.h"
#include "run/plan.h"
#include "run/plan_parts.h"

/* Of the largest, in f32; of the length, in 16 bits, where a rounding may turn
 * the sign that relu's gradient asks for.  */
#define WIDE   2e-5
#define NARROW 0.25

/* ---- the folder of caches ---- */

static char folder[] = "/tmp/vendor-XXXXXX";

static int setup(void **state)
{
    (void)state;
    return !mkdtemp(folder) || setenv("XDG_CACHE_HOME", folder, 1);
}

static void forget_choices(void)
{
    struct str path = {0};

    choices_path(&path);
    unlink(str_text(&path));
    str_release(&path);
}

static int teardown(void **state)
{
    struct str path = {0};

    (void)state;
    forget_choices();
    str_printf(&path, "%s/adze", folder);
    rmdir(str_text(&path));
    str_release(&path);
    return rmdir(folder);
}

/* ---- a plan and its truth ---- */

struct run {
    struct device *device;
    struct params *params;
    struct plan *plan;
    struct interp *plain;
};

static int is_rival(const struct kernel *k)
{
    return k && (!strcmp(k->name, "cublas") || !strncmp(k->name, "cudnn", 5));
}

static int count_rivals(const struct plan *p)
{
    int n = 0;

    for (int i = 0; i < p->n_step; i++)
        n += is_rival(p->step[i].kernel);
    return n;
}

static int count_sums(const struct plan *p, enum dir dir)
{
    int n = 0;

    for (int i = 0; i < p->n_step; i++)
        n += p->step[i].kernel && !strcmp(p->step[i].kernel->name, "cudnn_sums") &&
             p->step[i].kernel->dir == dir;
    return n;
}

static struct device *open_device(struct err *e)
{
    struct str found = {0};
    struct device *d = device_cuda_with_libraries(0, &found, e);

    str_release(&found);
    return d;
}

/* -1 if there is no plan.  */
static int start_as(struct run *r, const struct graph *g, struct interp *plain,
                    const struct plan_opts *o, struct err *e)
{
    *r = (struct run){.plain = plain};
    r->device = open_device(e);
    r->params = r->device ? params_new(g, r->device, e) : NULL;
    r->plan = r->params ? plan_new(g, r->device, r->params, o, e) : NULL;
    for (int i = 0; r->plan && i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_INPUT)
            memcpy(plan_value(r->plan, g->value[i]->name)->data, plain->value[i].data,
                   tensor_bytes(&plain->value[i]));
    return r->plan ? 0 : -1;
}

static int start(struct run *r, const struct graph *g, struct interp *plain, int narrow,
                 struct err *e)
{
    const struct plan_opts o = {.batch = plain->batch, .narrow = narrow};

    return start_as(r, g, plain, &o, e);
}

static void end(struct run *r)
{
    plan_free(r->plan);
    params_free(r->params);
    if (r->device)
        r->device->free(r->device);
}

static void must_start(struct run *r, const struct graph *g, struct interp *plain, int narrow)
{
    struct err e = {0};

    if (start(r, g, plain, narrow, &e) < 0)
        fail_msg("%s", e.msg);
}

/* Kept by the device in the second run, replayed in the third.  */
static void run_thrice(struct run *r)
{
    struct err e = {0};

    for (uint64_t k = 0; k < 3; k++) {
        emu_seed(k);
        if (plan_run(r->plan, NULL, &e) < 0)
            fail_msg("%s", e.msg);
    }
}

static void compare(struct run *r, const char *what, const struct graph *g, struct interp *truth,
                    int narrow)
{
    for (int i = 0; i < g->n_output; i++) {
        const char *name = g->output[i].name;
        const struct tensor *x = interp_output(truth, name), *y = plan_output(r->plan, name);
        const double far = narrow ? training_check_off(x, y) : training_check_far(x, y);

        if (!(far <= (narrow ? NARROW : WIDE)))
            fail_msg("%s: '%s' is off by %g%s", what, name, far, narrow ? " in 16 bits" : "");
    }
}

/* ---- networks ---- */

/* Channels in runs of 8 throughout.  */
static const struct cuda_case own_cases[] = {
    {"convolutions", "[8, 7, 6]",
     "  - conv: {out: 16, kernel: 3, pad: 1, bias: yes}\n  - relu\n"
     "  - conv: {out: 24, kernel: 3, stride: 2, pad: 1, bias: yes}\n"
     "  - conv: {out: 16, kernel: [1, 3], dilation: 2, pad: [0, 2]}\n" BN_RELU
     "  - conv: {out: 16, kernel: 3, pad: 1, groups: 2, bias: yes}\n"},
    {"one tap", "[8, 5, 4]",
     "  - conv: {out: 16, kernel: 1, bias: yes}\n  - relu\n"
     "  - conv: {out: 8, kernel: 1}\n" BN_RELU
     "  - conv: {out: 24, kernel: 1, bias: yes}\n  - gelu: {approximate: tanh}\n"},
    {"normalised", "[8, 5, 4]",
     "  - conv: {out: 16, kernel: 3, pad: 1}\n" BN_RELU
     "  - conv: {out: 16, kernel: 3, pad: 1}\n" BN_RELU},
    {"residual", "[8, 6, 6]",
     "  - conv: {out: 16, kernel: 1, bias: yes}\n  - relu\n"
     "  - add:\n    - identity\n    - do: [conv: {out: 16, kernel: 3, pad: 1, bias: yes}]\n"
     "  - relu\n"
     "  - add:\n    - identity\n    - do: [conv: {out: 16, kernel: 1, bias: yes}]\n"
     "  - relu\n"},
    {"tokens", "[8, 4, 4]",
     "  - conv: {out: 24, kernel: 2, stride: 2, bias: yes}\n  - tokens\n"
     "  - add:\n    - identity\n"
     "    - do: [ln, linear: {out: 40}, gelu: {approximate: tanh}, linear: {out: 24}]\n"
     "  - linear: {out: 16, bias: no}\n  - gelu\n  - reshape: {shape: [1, 64]}\n"
     "  - linear: {out: 16}\n  - relu\n  - linear: {out: 8}\n"
     "  - reshape: {shape: [1, 8, 1, 1]}\n"},
};

static struct offers offers;

static struct graph *inference(const struct cuda_case *c)
{
    struct str text = {0};
    struct graph *g;

    str_printf(&text,
               "network: test\ninput: {size: %s}\nbody:\n%s"
               "  - global_avg_pool\n  - linear: {as: fc, out: 3}\n",
               c->size, c->body);
    g = toy_graph(str_text(&text), 5);
    str_release(&text);
    return g;
}

/* In f32 up to precision LAST.  Takes G.  How many steps libraries compute.  */
static int check(const struct cuda_case *c, struct graph *g, int64_t batch, int last)
{
    struct interp truth, plain;
    int n = 0;

    interp_fill(&truth, g, batch, 11, 1);
    interp_go(&truth);
    interp_fill(&plain, g, batch, 11, 0);
    for (int narrow = PRECISION_FP32; narrow <= last; narrow++) {
        struct run r;

        must_start(&r, g, &plain, narrow);
        run_thrice(&r);
        compare(&r, c->what, g, &truth, narrow);
        n += count_rivals(r.plan);
        offers_note(&offers, r.plan);
        end(&r);
    }
    interp_release(&plain);
    interp_release(&truth);
    graph_free(g);
    return n;
}

static int is_among(const char *name, const char *const *names)
{
    return str_index(name, names) >= 0;
}

static void test_taken(void **state)
{
    static const char *const more[] = {"residual", "groups", "transformer", NULL};
    struct err e = {0};
    struct device *d;
    int missing = 0;

    (void)state;
    forget_choices();
    emu_libraries((struct emu_vendor){.there = EMU_LT | EMU_DNN, .ms = 1});
    for (size_t i = 0; i < COUNT(own_cases); i++) {
        const struct cuda_case *c = &own_cases[i];

        assert_true(
            check(c, training_check_graph(c->size, c->body), TRAINING_BATCH, PRECISION_FP16) > 3);
        assert_true(check(c, inference(c), TRAINING_BATCH, PRECISION_FP16) > 2);
    }
    for (size_t i = 0; i < COUNT(cases); i++)
        if (is_among(cases[i].what, more))
            check(&cases[i], training_check_graph(cases[i].size, cases[i].body), TRAINING_BATCH,
                  PRECISION_BF16);
    assert_int_equal(emu_vendor_held(), 0);
    d = open_device(&e);
    for (const struct kernel *const *k = d->kernels; *k; k++) {
        const int seen = !is_rival(*k) || offer_is_taken(&offers, *k);

        if (!seen)
            print_message("# no plan takes %s of %s, %s, in %s\n", (*k)->name, (*k)->op,
                          (*k)->dir == DIR_FORWARD ? "forward" : "backward",
                          layout_name((*k)->reads));
        missing += !seen;
    }
    d->free(d);
    assert_int_equal(missing, 0);
}

/* What is fused: the ops of each step that a library computes, in order.  */
static void test_fused(void **state)
{
    struct graph *g = inference(&own_cases[3]);
    struct interp plain;
    struct run r;
    struct str s = {0};

    (void)state;
    interp_fill(&plain, g, TRAINING_BATCH, 11, 0);
    must_start(&r, g, &plain, 1);
    plan_print(&s, r.plan);
    assert_non_null(strstr(str_text(&s), "conv2d+relu\tcu"));
    assert_non_null(strstr(str_text(&s), "conv2d+add+relu\tcu"));
    str_release(&s);
    end(&r);
    interp_release(&plain);
    graph_free(g);
}

/* ---- not taken ---- */

/* Steps of libraries in a plan of case C for training, in f32 and bf16; and it
 * computes what it should.  */
static int with(struct emu_vendor v, const struct cuda_case *c)
{
    forget_choices();
    emu_libraries(v);
    return check(c, training_check_graph(c->size, c->body), 1, PRECISION_BF16);
}

static void test_not_taken(void **state)
{
    const unsigned both = EMU_LT | EMU_DNN;
    const struct cuda_case *c = &own_cases[3];

    (void)state;
    assert_int_equal(with((struct emu_vendor){0}, c), 0);
    assert_int_equal(with((struct emu_vendor){.there = both, .old = 1}, c), 0);
    assert_int_equal(emu_vendor_calls(), 0);
    assert_int_equal(with((struct emu_vendor){.there = both, .ms = 1000}, c), 0);
    assert_true(emu_vendor_calls() > 0);
    assert_int_equal(with((struct emu_vendor){.there = both, .ms = 1, .wrong = 1}, c), 0);
    assert_int_equal(with((struct emu_vendor){.there = both, .ms = 1, .wrong = 2}, c), 0);
    assert_true(with((struct emu_vendor){.there = EMU_LT, .ms = 1}, c) > 0);
    assert_true(with((struct emu_vendor){.there = EMU_DNN, .ms = 1}, c) > 0);
    assert_int_equal(emu_vendor_held(), 0);
}

/* ---- sums beside a convolution, for normalisation ---- */

/* In f16.  How many steps of a plan for training make them by cuDNN; ten more
 * for each backward.  */
static int sums_with(struct emu_vendor v, const char *body, int no_fuse)
{
    struct graph *g = training_check_graph("[8, 4, 5]", body);
    const struct plan_opts o = {
        .batch = TRAINING_BATCH, .narrow = PRECISION_FP16, .no_fuse = no_fuse};
    struct interp truth, plain;
    struct err e = {0};
    struct run r;
    int n;

    forget_choices();
    emu_libraries(v);
    interp_fill(&truth, g, TRAINING_BATCH, 11, 1);
    interp_go(&truth);
    interp_fill(&plain, g, TRAINING_BATCH, 11, 0);
    if (start_as(&r, g, &plain, &o, &e) < 0)
        fail_msg("%s", e.msg);
    run_thrice(&r);
    compare(&r, body, g, &truth, 1);
    n = count_sums(r.plan, DIR_FORWARD) + 10 * count_sums(r.plan, DIR_BACKWARD);
    end(&r);
    assert_int_equal(emu_vendor_held(), 0);
    interp_release(&plain);
    interp_release(&truth);
    graph_free(g);
    return n;
}

static const char sums_body[] = "  - conv: {out: 16, kernel: 3, pad: 1}\n" BN_RELU
                                "  - conv: {out: 8, kernel: 3, stride: 2, pad: 1}\n" BN_RELU;

static void test_sums(void **state)
{
    static const char *const without[] = {
        "  - conv: {out: 16, kernel: 3, pad: 1, groups: 2}\n" BN_RELU,
        "  - conv: {out: 16, kernel: 3, pad: 1, bias: yes}\n" BN_RELU,
        "  - conv: {out: 16, kernel: 3, pad: 1}\n  - relu\n",
    };
    struct emu_vendor v = {.there = EMU_DNN, .ms = 1};

    (void)state;
    assert_int_equal(sums_with(v, sums_body, 0), 12);
    assert_int_equal(sums_with(v, sums_body, 1), 2);
    for (size_t i = 0; i < COUNT(without); i++)
        assert_int_equal(sums_with(v, without[i], 0), 0);
    for (v.wrong = -2; v.wrong <= 2; v.wrong++)
        assert_int_equal(sums_with(v, sums_body, 0), v.wrong ? 0 : 12);
    v = (struct emu_vendor){.there = EMU_DNN, .ms = 1000};
    assert_int_equal(sums_with(v, sums_body, 0), 0);
}

/* Backward, which bodies have how many.  */
static void test_sums_back(void **state)
{
#define CONV "  - conv: {out: 16, kernel: 3, pad: 1"
    static const struct {
        const char *body;
        int n;
    } bodies[] = {
        {CONV "}\n" BN_RELU "  - conv: {out: 8, kernel: 1, bias: yes}\n", 1},
        {CONV "}\n" BN_RELU CONV ", stride: 2}\n" BN_RELU CONV "}\n", 2},
        {CONV "}\n  - bn: {affine: no}\n  - relu\n" CONV "}\n", 0},
        {CONV "}\n  - bn\n" CONV "}\n", 0},
        {CONV "}\n  - bn\n  - relu6\n" CONV "}\n", 0},
        {CONV "}\n" BN_RELU CONV ", groups: 2}\n", 0},
        {CONV "}\n" BN_RELU "  - conv: {out: 10, kernel: 1}\n", 0},
        {CONV "}\n" BN_RELU "  - add:\n    - identity\n    - do: [conv: {out: 16, kernel: 1}]\n",
         0},
        {CONV "}\n  - bn\n  - add:\n    - identity\n    - do: [conv: {out: 16, kernel: 1}]\n"
              "  - relu\n" CONV "}\n",
         0},
    };
    const struct emu_vendor v = {.there = EMU_DNN, .ms = 1};

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        const int n = sums_with(v, bodies[i].body, 0) / 10;

        if (n != bodies[i].n)
            fail_msg("%d of %d: %s", n, bodies[i].n, bodies[i].body);
    }
}

static void test_found(void **state)
{
    struct err e = {0};
    struct str found = {0};
    struct device *d;

    (void)state;
    emu_libraries((struct emu_vendor){.there = EMU_DNN});
    d = device_cuda_with_libraries(0, &found, &e);
    assert_non_null(d);
    assert_string_equal(str_text(&found), "emulated GPU 0, no cuBLASLt, cuDNN 9.19.0");
    d->free(d);
    str_release(&found);
    emu_devices(0);
    assert_null(device_cuda_with_libraries(0, &found, &e));
    assert_int_equal(e.code, ERR_DEVICE);
    emu_devices(1);
}

/* ---- kept ---- */

/* What was measured once is not again; it is where anything differs.  */
static void test_kept(void **state)
{
    struct graph *g = inference(&own_cases[1]);
    const struct emu_vendor v = {.there = EMU_LT | EMU_DNN, .ms = 1};
    struct emu_vendor broken = v;
    struct err e = {0};
    struct interp plain;
    struct run r;
    int n;

    (void)state;
    forget_choices();
    emu_libraries(v);
    interp_fill(&plain, g, TRAINING_BATCH, 11, 0);
    must_start(&r, g, &plain, 1);
    n = count_rivals(r.plan);
    assert_true(n > 0 && emu_vendor_calls() > 0);
    end(&r);
    emu_libraries(v);
    must_start(&r, g, &plain, 1);
    assert_int_equal(count_rivals(r.plan), n);
    assert_int_equal(emu_vendor_calls(), 0);
    run_thrice(&r);
    assert_int_equal(emu_vendor_calls(), 2 * n); /* kept in the second */
    end(&r);
    must_start(&r, g, &plain, 0); /* in f32 */
    assert_true(emu_vendor_calls() > (uint64_t)n);
    end(&r);
    broken.fails = "cublasLtMatmulAlgoGetHeuristic";
    emu_libraries(broken);
    assert_int_equal(start(&r, g, &plain, 1, &e), -1);
    assert_int_equal(e.code, ERR_DEVICE);
    assert_non_null(strstr(e.msg, "cuda-choices"));
    end(&r);
    assert_int_equal(emu_vendor_held(), 0);
    interp_release(&plain);
    graph_free(g);
}

/* ---- faults ---- */

/* Call NAME fails after AFTER times that it does not: 1 if the plan failed, in
 * one line, as it did when it computed or was kept; else it computes with what
 * is left.  */
static int fault(const struct graph *g, struct interp *plain, int narrow, const char *name,
                 int after)
{
    struct err e = {0};
    struct run r;
    int bad;

    emu_libraries(
        (struct emu_vendor){.there = EMU_LT | EMU_DNN, .ms = 1, .fails = name, .after = after});
    bad = start(&r, g, plain, narrow, &e) < 0;
    for (int k = 0; k < 3 && !bad; k++)
        bad = plan_run(r.plan, NULL, &e) < 0;
    end(&r);
    assert_int_equal(emu_vendor_held(), 0);
    assert_int_equal(bad, e.code != ERR_NONE);
    if (bad) {
        assert_int_equal(e.code, ERR_DEVICE);
        assert_null(strchr(e.msg, '\n'));
        if (!strstr(e.msg, "cudnn") && !strstr(e.msg, "cublas"))
            fail_msg("%s: %s", name, e.msg);
    }
    return bad;
}

/* In a trial a failure rules the library out; with what was kept it is one of
 * the plan, if the call is one that plans need.  Takes G, in which LIBRARY is
 * asked.  */
static void try_faults(struct graph *g, int narrow, const char *library)
{
    static const struct {
        const char *name;
        int needed;
    } calls[] = {
        {"cublasLtCreate", 0},
        {"cublasLtMatmulDescCreate", 1},
        {"cublasLtMatrixLayoutCreate", 1},
        {"cublasLtMatmulPreferenceCreate", 1},
        {"cublasLtMatmulAlgoGetHeuristic", 1},
        {"cublasLtMatmul", 1},
        {"cudnnCreate", 0},
        {"cudnnSetStream", 0},
        {"cudnnBackendCreateDescriptor", 1},
        {"cudnnBackendSetAttribute", 1},
        {"cudnnBackendFinalize", 1},
        {"cudnnBackendGetAttribute", 1},
        {"cudnnBackendExecute", 1},
    };
    struct interp plain;

    interp_fill(&plain, g, 1, 11, 0);
    for (size_t i = 0; i < COUNT(calls); i++)
        for (int after = 0; after < 50; after = after * 6 + 1) {
            if (!strstr(calls[i].name, library))
                continue;
            forget_choices();
            if (fault(g, &plain, narrow, calls[i].name, after) && !after)
                fail_msg("%s fails in a trial, and so does the plan", calls[i].name);
        }
    forget_choices();
    assert_int_equal(fault(g, &plain, narrow, "nothing", 0), 0);
    for (size_t i = 0; i < COUNT(calls); i++)
        if (strstr(calls[i].name, library))
            assert_int_equal(fault(g, &plain, narrow, calls[i].name, 0), calls[i].needed);
    interp_release(&plain);
    graph_free(g);
}

static void test_faults(void **state)
{
    (void)state;
    try_faults(inference(&own_cases[3]), PRECISION_BF16, "cu");
    try_faults(training_check_graph("[8, 3, 2]", "  - conv: {out: 8, kernel: 3, pad: 1}\n" BN_RELU
                                                 "  - conv: {out: 8, kernel: 3, pad: 1}\n" BN_RELU),
               PRECISION_FP16, "cudnn");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),     cmocka_unit_test(test_fused),
        cmocka_unit_test(test_not_taken), cmocka_unit_test(test_sums),
        cmocka_unit_test(test_sums_back), cmocka_unit_test(test_found),
        cmocka_unit_test(test_kept),      cmocka_unit_test(test_faults),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
