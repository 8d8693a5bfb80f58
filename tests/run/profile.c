/* profile.c -- tests of run/profile.h: times are those of the clock, or put in
 * by hand where shares are asked for.
 * SPDX-License-Identifier: MIT  */
#include "run/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../toy.h"
#include "../training_check.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/str.h"
#include "cpu/cpu.h"
#include "graph/graph.h"
#include "run/params.h"
#include "run/plan_parts.h"

struct fixture {
    struct device *device;
    struct graph *graph;
    struct params *params;
    struct plan *plan;
};

/* Takes G.  */
static void start(struct fixture *f, struct graph *g)
{
    const struct plan_opts o = {.batch = 2, .profile = 1};
    struct err e = {0};

    f->graph = g;
    f->device = device_cpu_new(cpu_features());
    f->params = params_new(g, f->device, &e);
    f->plan = f->params ? plan_new(g, f->device, f->params, &o, &e) : NULL;
    if (!f->plan)
        fail_msg("%s", e.msg);
}

static void end(struct fixture *f)
{
    plan_free(f->plan);
    params_free(f->params);
    graph_free(f->graph);
    device_cpu_free(f->device);
}

/* The line of classes that begins with START; its fields.  */
enum { STEPS = 2, MS, SHARE, MB, MFLOP, GFLOPS, GB_S, BOUND, ROOF, FIELDS };

static int fields(const char *text, const char *start, char f[FIELDS][32])
{
    const char *at = strstr(text, start);

    if (!at || (at != text && at[-1] != '\n'))
        return 0;
    for (int i = 0; i < FIELDS; i++) {
        const size_t n = strcspn(at, "\t\n");

        snprintf(f[i], sizeof f[i], "%.*s", (int)n, at);
        at += n + 1;
    }
    return 1;
}

static void classes(struct str *s, const struct fixture *f,
                    const struct ceilings *c)
{
    s->len = 0;
    profile_classes(s, f->plan, c);
}

/* 2 x 16 x 8 x 8 numbers are 8192 bytes.  */
static void test_memory(void **state)
{
    const struct ceilings c = {{[PEAK_COPY] = 8192, [PEAK_F32] = 1}};
    char f[FIELDS][32];
    struct str s = {0};
    struct fixture x;

    (void)state;
    start(&x, toy_graph("network: test\ninput: {size: [16, 8, 8]}\n"
                        "body:\n  - sigmoid\n",
                        1));
    assert_int_equal(x.plan->n_step, 1);
    x.plan->step[0].seconds = 12;
    x.plan->work[0].timed = 3;
    classes(&s, &x, &c);
    assert_true(fields(str_text(&s), "eltwise\tforward\t", f));
    assert_string_equal(f[STEPS], "1");
    assert_string_equal(f[MS], "4000.0000");
    assert_string_equal(f[SHARE], "1.000");
    assert_string_equal(f[MB], "0.016");
    assert_string_equal(f[GFLOPS], "-");
    assert_string_equal(f[BOUND], "memory");
    assert_string_equal(f[ROOF], "0.500");
    assert_true(fields(str_text(&s), "all\t-\t", f));
    assert_string_equal(f[ROOF], "0.500");
    /* Nothing is known of the device.  */
    classes(&s, &x, &(struct ceilings){{0}});
    assert_true(fields(str_text(&s), "eltwise\tforward\t", f));
    assert_string_equal(f[BOUND], "-");
    assert_string_equal(f[ROOF], "-");
    str_release(&s);
    end(&x);
}

/* 2 x 16 x 16 x 64 multiply-adds are 65536 operations.  */
static void test_compute(void **state)
{
    const struct ceilings c = {{[PEAK_COPY] = 1e12, [PEAK_F32] = 65536}};
    char f[FIELDS][32];
    struct str s = {0};
    struct fixture x;

    (void)state;
    start(&x, toy_graph("network: test\ninput: {size: [16, 8, 8]}\n"
                        "body:\n  - conv: {out: 16, kernel: 1}\n",
                        1));
    for (int i = 0; i < x.plan->n_step; i++)
        if (x.plan->step[i].nodes.n)
            x.plan->step[i].seconds = 4;
    x.plan->work[0].timed = 1;
    classes(&s, &x, &c);
    assert_true(fields(str_text(&s), "conv 1x1\tforward\t", f));
    assert_string_equal(f[MFLOP], "0.066");
    assert_string_equal(f[BOUND], "compute");
    assert_string_equal(f[ROOF], "0.250");
    str_release(&s);
    end(&x);
}

/* Two products with the same x, done at once: their 262144 operations are all
 * the first one's.  */
static void test_siblings(void **state)
{
    const struct ceilings c = {{[PEAK_COPY] = 1e6, [PEAK_F32] = 131072}};
    struct str s = {0};
    struct fixture x;
    int first = 0;

    (void)state;
    start(&x, toy_graph("network: test\ninput: {size: [16, 8, 8]}\nbody:\n"
                        "  - relu\n  - concat: [conv: {out: 16, kernel: 1},"
                        " conv: {out: 48, kernel: 1}]\n",
                        1));
    while (!x.plan->step[first + 1].joined)
        assert_true(++first + 1 < x.plan->n_step);
    x.plan->step[first].seconds = 2;
    x.plan->work[0].timed = 1;
    profile_steps(&s, x.plan, &c);
    if (!strstr(str_text(&s), "\t2000.0000\t0.00\t0.00\t1.000\n"))
        fail_msg("not all there in\n%s", str_text(&s));
    assert_non_null(strstr(str_text(&s), "\t0.0000\t-\t-\t-\n"));
    str_release(&s);
    end(&x);
}

/* Every class that a network has; steps and times add up.  */
static void test_classes(void **state)
{
    static const char *const want[] = {
        "conv 3x3\tforward",     "conv 3x3\tbackward", "depthwise\tforward",
        "grouped 1x1\tbackward", "linear\tbackward",   "pool\tforward",
        "loss\tforward",         "softmax\tforward",   NULL};
    struct err e = {0};
    struct ceilings c;
    struct str s = {0};
    struct fixture x;
    char f[FIELDS][32];
    int steps = 0;

    (void)state;
    start(&x, training_check_graph(
                  "[8, 8, 8]",
                  "  - conv: {out: 8, kernel: 3, pad: 1}\n  - bn\n  - relu\n"
                  "  - conv: {out: 8, kernel: 3, groups: 8}\n"
                  "  - conv: {out: 8, kernel: 1, groups: 2}\n"
                  "  - softmax: {axis: 1}\n"));
    for (int i = 0; i < 5; i++)
        assert_int_equal(plan_run(x.plan, NULL, &e), 0);
    assert_int_equal(x.plan->work[0].timed, 3);
    profile_measure(&c, x.plan, NULL);
    assert_true(c.at[PEAK_COPY] > 1e8 && c.at[PEAK_F32] > 1e8);
    assert_true(c.at[PEAK_I8] == 0); /* nobody asks for it */
    classes(&s, &x, &c);
    for (int i = 0; want[i]; i++)
        if (!fields(str_text(&s), want[i], f))
            fail_msg("no '%s' in\n%s", want[i], str_text(&s));
    assert_true(fields(str_text(&s), "all\t-\t", f));
    for (int i = 0; i < x.plan->n_step; i++)
        steps += !x.plan->step[i].view;
    assert_int_equal(strtol(f[STEPS], NULL, 10), steps);
    assert_true(strtod(f[MS], NULL) > 0);
    assert_true(strtod(f[ROOF], NULL) > 0);
    s.len = 0;
    profile_steps(&s, x.plan, &c);
    assert_non_null(strstr(str_text(&s), "\tms\tgflops\tgb_s\troof\n"));
    str_release(&s);
    end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_compute),
        cmocka_unit_test(test_siblings),
        cmocka_unit_test(test_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
