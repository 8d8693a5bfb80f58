/* training.c -- plans of training graphs, however much of them is fused,
 * against the ops' definitions in double.
 * SPDX-License-Identifier: MIT
 *
 * Truth is each node by itself in double.  A plan may be as far from it as the
 * same in float, some roundings more (Winograd's transforms, sums in another
 * order): FACTOR times.  Bits are the same for each number of threads, and
 * whatever the constants are that cut work.  */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../graph_random.h"
#include "../interp.h"
#include "../slow.h"
#include "../training_check.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "graph/graph.h"
#include "graph/tuning.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"

enum { FACTOR = 24 };
/* Of gradients in bf16, where a rounding may turn the sign that a clip asks
 * for.  */
#define NARROW 0.25

/* Layers as lists of steps behind an input of C x H x W; HAS: what the plan's
 * steps must show, separated by blanks.  */
struct training_case {
    const char *what, *size, *body, *has;
    double narrow; /* without such clips; 0: NARROW */
};

#define CONV(out, k, more) "  - conv: {out: " #out ", kernel: " #k more "}\n"
#define SAME3(out)         CONV(out, 3, ", pad: 1")
#define BN                 "  - bn\n"
#define BN_RELU            BN "  - relu\n"
#define ADD(a, b)          "  - add:\n    - do: [" a "]\n    - do: [" b "]\n"

static const struct training_case cases[] = {
    {"a chain of 3 x 3", "[16, 12, 9]",
     SAME3(20) BN_RELU SAME3(16) BN_RELU SAME3(33) BN_RELU,
     "bnapply+relu>conv2d|bnstats "
     "bnapply+relu>bngrad>bnapply+relu>conv2d'+relu'|bnsums"},
    {"a shortcut at a stride", "[16, 14, 11]",
     CONV(20, 1, "") BN_RELU ADD(
         "conv: {out: 24, kernel: 1}, bn, relu, conv: {out: 40, kernel: 3, "
         "pad: 1, stride: 2}, bn",
         "conv: {out: 40, kernel: 1, stride: 2}, bn") "  - relu\n",
     "bnapply+relu>bngrad>bnapply+relu>conv2d'+add+relu'|bnsums"},
    {"larger maps", "[16, 30, 26]", SAME3(32) BN_RELU SAME3(32) BN_RELU, ""},
    {"bands of rows", "[16, 50, 40]",
     CONV(20, 1, "") BN_RELU CONV(16, 3, ", pad: 1, stride: 2")
         BN_RELU CONV(40, 1, "") "  - relu\n" CONV(16, 3, ", stride: 2"),
     ""},
    {"residual", "[3, 16, 16]",
     SAME3(16) BN_RELU ADD(
         "conv: {out: 16, kernel: 3, pad: 1}, bn, relu, "
         "conv: {out: 16, kernel: 3, pad: 1}, bn",
         "identity") "  - relu\n" ADD("conv: {out: 32, kernel: 3, pad: 1, stride: 2}, bn, relu, "
                                      "conv: {out: 32, kernel: 3, pad: 1}, bn",
                                      "conv: {out: 32, kernel: 1, stride: 2}, bn") "  - relu\n" ADD("conv: {out: 32, kernel: 1}, bn, relu, "
                                                                                                    "conv: {out: 32, kernel: 3, pad: 1}, bn",
                                                                                                    "identity") "  - relu\n",
     "bngrad>conv2d'+add+relu'|bnsums bngrad>conv2d'+add+relu'|bnsums|bnsums"},
    {"1 x 1 and depthwise", "[3, 11, 14]",
     CONV(24, 3, ", pad: 1, stride: 2") BN "  - relu6\n" CONV(40, 1, "") BN
     "  - relu6\n" CONV(40, 3, ", pad: 1, groups: 40") BN
     "  - relu6\n" CONV(24, 1, "") BN CONV(40, 1, "") BN "  - relu6\n" CONV(
         40, 5, ", pad: 2, groups: 40, stride: 2") BN "  - relu6\n",
     ""},
    {"curved activations", "[16, 10, 10]",
     SAME3(16) BN "  - hardswish\n" SAME3(24) BN "  - silu\n" CONV(16, 1, "") BN
     "  - hardswish\n" CONV(16, 3, ", pad: 1, groups: 16") BN "  - silu\n",
     "", 0.02},
    {"normalised first", "[16, 9, 9]",
     SAME3(16) ADD("bn, relu, conv: {out: 16, kernel: 3, pad: 1}, bn, relu, "
                   "conv: {out: 16, kernel: 3, pad: 1}",
                   "identity") BN_RELU,
     ""},
    {"biases, no normalisation", "[16, 9, 9]",
     CONV(16, 3, ", pad: 1, bias: yes") "  - relu\n" CONV(
         32, 3,
         ", pad: 1, bias: yes") "  - relu\n" CONV(16, 1,
                                                  ", bias: yes") "  - relu\n",
     "conv2d'+relu'"},
    {"biases under normalisation", "[16, 9, 9]",
     CONV(16, 3, ", pad: 1, bias: yes") BN_RELU CONV(16, 1, ", bias: yes")
         BN_RELU,
     ""},
    {"two readers", "[16, 8, 8]",
     SAME3(16) BN_RELU
     "  - concat: [conv: {out: 16, kernel: 3, pad: 1}, conv: {out: 8, kernel: 1}]\n" BN_RELU
     "  - maxpool2d: {kernel: 2}\n" SAME3(16) BN_RELU,
     ""},
    {"groups", "[16, 8, 8]",
     SAME3(32) BN_RELU CONV(32, 3, ", pad: 1, groups: 4")
         BN_RELU CONV(32, 3, ", pad: 2, dilation: 2") BN_RELU,
     ""},
};

/* ---- comparing ---- */

static void compare(const struct training_case *c, struct plan *p,
                    struct interp *truth, struct interp *plain,
                    const struct graph *g, const char *first)
{
    for (int i = 0; i < g->n_output; i++) {
        const char *name = g->output[i].name;
        const struct tensor *x = interp_output(truth, name);
        const double a = training_check_far(x, interp_output(plain, name));
        const double b = training_check_far(x, plan_output(p, name));

        if (!(b <= FACTOR * a + 1e-6))
            fail_msg("%s: '%s' is off by %g of the largest (%g node by node), "
                     "first kernel %s",
                     c->what, name, b, a, first);
    }
}

static void compare_narrow(const struct training_case *c, struct plan *p,
                           struct interp *truth, const struct graph *g)
{
    for (int i = 0; i < g->n_output; i++) {
        const char *name = g->output[i].name;
        const double d = training_check_off(interp_output(truth, name),
                                            plan_output(p, name));

        if (!(d <= (c->narrow > 0 ? c->narrow : NARROW)))
            fail_msg("%s: '%s' is off by %g of its length in bf16", c->what,
                     name, d);
    }
}

static void check_shows(const struct training_case *c, struct plan *p,
                        const char *shows)
{
    struct str s = {0};
    char has[128], *save = NULL;

    plan_print(&s, p);
    snprintf(has, sizeof has, "%s", shows);
    for (char *w = strtok_r(has, " ", &save); w; w = strtok_r(NULL, " ", &save))
        if (!strstr(str_text(&s), w)) {
            fputs(str_text(&s), stderr);
            fail_msg("%s: no '%s' in the plan above", c->what, w);
        }
    str_release(&s);
}

struct tuned_run {
    const struct training_case *c;
    const struct graph *g;
    struct interp *truth, *plain;
    const struct device *dev;
    int narrow;
    struct params *params; /* plans of other constants share them */
};

/* The bits of the results with constants T.  */
static void run_tuned(const struct tuned_run *r, const struct tuning *t,
                      int threads, struct str *bits)
{
    struct pool *pool = pool_new(threads);
    struct plan *p = training_check_plan(r->g, r->dev, r->params, pool,
                                         r->narrow, t, r->plain);
    struct err e = {0};

    assert_int_equal(plan_run(p, NULL, &e), 0);
    str_clear(bits);
    training_check_bits(p, r->g, bits);
    if (r->narrow)
        compare_narrow(r->c, p, r->truth, r->g);
    else
        compare(r->c, p, r->truth, r->plain, r->g, r->dev->kernels[0]->name);
    plan_free(p);
    pool_free(pool);
}

/* Constant I at V: one that cuts work changes no bit of those in WANT; the
 * others change some, but not with the number of threads.  */
static void check_constant(const struct tuned_run *r, int i, int64_t v,
                           const struct str *want)
{
    static const int threads[] = {1, 2, 3, 5, 8};
    const int cut = tuning_rows[i].effect == TUNE_CUT;
    struct str first = {0}, now = {0};
    struct tuning t;

    tuning_init(&t);
    t.value[i] = v;
    if (cut)
        str_add(&first, str_text(want));
    else
        run_tuned(r, &t, 1, &first);
    for (size_t k = SLOW_RUN ? 3 : 0; k < COUNT(threads); k += cut ? 1 : 3) {
        run_tuned(r, &t, threads[k], &now);
        if (strcmp(str_text(&first), str_text(&now)))
            fail_msg("%s: other bits with %s=%lld and %d threads", r->c->what,
                     tuning_rows[i].name, (long long)v, threads[k]);
    }
    str_release(&first);
    str_release(&now);
}

/* Each constant at the ends of its range.  */
static void check_constants(const struct training_case *c,
                            const struct graph *g, struct interp *truth,
                            struct interp *plain, const struct device *dev,
                            int narrow)
{
    struct err e = {0};
    struct tuned_run r = {
        c, g, truth, plain, dev, narrow, params_new(g, dev, &e)};
    struct str want = {0};

    run_tuned(&r, NULL, 1, &want);
    for (int i = 0; i < TUNE_N; i++) {
        check_constant(&r, i, tuning_rows[i].min, &want);
        check_constant(&r, i, tuning_rows[i].max, &want);
    }
    str_release(&want);
    params_free(r.params);
}

/* Several numbers of threads.  */
static void check_device(const struct training_case *c, const struct graph *g,
                         struct interp *truth, struct interp *plain,
                         const struct device *dev, int narrow)
{
    struct str first = {0}, now = {0};
    struct err e = {0};

    for (int threads = 1; threads <= (SLOW_RUN ? 2 : 3); threads++) {
        struct params *params = params_new(g, dev, &e);
        struct pool *pool = pool_new(threads);
        struct plan *p =
            training_check_plan(g, dev, params, pool, narrow, NULL, plain);

        assert_int_equal(plan_run(p, NULL, &e), 0);
        training_check_bits(p, g, threads == 1 ? &first : &now);
        if (threads == 1) {
            if (narrow)
                compare_narrow(c, p, truth, g);
            else
                compare(c, p, truth, plain, g, dev->kernels[0]->name);
            check_shows(c, p, narrow ? "_bf16" : c->has);
        } else if (strcmp(str_text(&first), str_text(&now))) {
            fail_msg("%s: other bits with %d threads", c->what, threads);
        }
        str_clear(&now);
        plan_free(p);
        pool_free(pool);
        params_free(params);
    }
    str_release(&first);
    str_release(&now);
}

/* DEV without one family of kernels, in turns; NULL: with all.  Values change
 * from fp32 to bf16 and back where those stood.  */
static void check_narrow(const struct training_case *c, const struct graph *g,
                         struct interp *truth, struct interp *plain,
                         const struct device *dev)
{
    static const char *const without[] = {NULL,
                                          "conv2d_winograd_bf16",
                                          "conv2d_direct_bf16",
                                          "eltwise_bf16",
                                          "dwconv2d_blocked_bf16",
                                          "norm_blocked_bf16",
                                          "pool_blocked_bf16",
                                          "channels_blocked_bf16"};
    const struct kernel *list[512];

    for (size_t i = 0; i < COUNT(without); i++) {
        struct device d = *dev;
        int n = 0;

        for (const struct kernel *const *k = dev->kernels; *k; k++)
            if (!without[i] || strcmp((*k)->name, without[i]))
                list[n++] = *k;
        list[n] = NULL;
        d.kernels = list;
        check_device(c, g, truth, plain, &d, 1);
    }
}

static void check_features(const struct training_case *c, const struct graph *g,
                           struct interp *truth, struct interp *plain,
                           unsigned features)
{
    struct device *dev = device_cpu_new(features);

    check_device(c, g, truth, plain, dev, 0);
    if (!SLOW_RUN || features == cpu_features())
        check_constants(c, g, truth, plain, dev, 0);
    if (features & CPU_AVX512BF16) {
        check_narrow(c, g, truth, plain, dev);
        if (!SLOW_RUN)
            check_constants(c, g, truth, plain, dev, 1);
    }
    device_cpu_free(dev);
}

static void check_case(const struct training_case *c)
{
    const unsigned all = cpu_features();
    const unsigned masks[] = {all, all & CPU_AVX2, 0};
    struct graph *g = training_check_graph(c->size, c->body);
    struct interp truth, plain;

    interp_fill(&truth, g, TRAINING_BATCH, 11, 1);
    interp_go(&truth);
    interp_fill(&plain, g, TRAINING_BATCH, 11, 0);
    interp_go(&plain);
    for (size_t i = 0; i < COUNT(masks); i++)
        if (!i || masks[i] != masks[i - 1])
            check_features(c, g, &truth, &plain, masks[i]);
    interp_release(&plain);
    interp_release(&truth);
    graph_free(g);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        check_case(&cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
