/* plan.c -- plans for the GPU: what lies where, what is done at once, and what
 * is said where there is too little memory or no GPU.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../kernel_check.h"
#include "../toy.h"
#include "base/err.h"
#include "base/rng.h"
#include "cuda/cuda.h"
#include "emu.h"
#include "graph/graph.h"
#include "offers.h"
#include "pass/pass.h"
#include "run/params.h"
#include "run/plan.h"
#include "run/plan_parts.h"

/* Plans of TEXT, in each precision: COUNT finds WANT steps, none where SET has
 * taken the option away, and results are the same to the bit.  */
static void check_option(const char *text, void (*set)(struct plan_opts *),
                         int (*count)(const struct plan *), int want)
{
    struct err e = {0};
    struct graph *n = toy_graph(text, 5), *g = pass_simplify(n, &e);
    struct device *d = gpu();
    struct params *ps = params_new(g, d, &e);

    for (int narrow = 0; narrow <= PRECISION_FP16; narrow++) {
        struct plan *p[2];

        for (int k = 0; k < 2; k++) {
            const struct rng r = rng_at(3, RNG_TEST, 0, 0);
            struct plan_opts o = {.batch = 3, .narrow = narrow};
            struct tensor *x;

            if (k)
                set(&o);
            p[k] = plan_new(g, d, ps, &o, &e);
            if (!p[k])
                fail_msg("%s", e.msg);
            x = plan_value(p[k], "image");
            for (int64_t i = 0; i < tensor_count(x); i++)
                ((float *)x->data)[i] = (float)rng_normal(&r, (uint64_t)i);
            assert_int_equal(plan_run(p[k], NULL, &e), 0);
            assert_int_equal(count(p[k]), k ? 0 : want);
        }
        assert_memory_equal(plan_output(p[0], "logits")->data, plan_output(p[1], "logits")->data,
                            tensor_bytes(plan_output(p[0], "logits")));
        plan_free(p[0]);
        plan_free(p[1]);
    }
    params_free(ps);
    graph_free(g);
    graph_free(n);
    d->free(d);
}

static void set_no_alias(struct plan_opts *o)
{
    o->no_alias = 1;
}

static void set_no_siblings(struct plan_opts *o)
{
    o->no_siblings = 1;
}

static int viewed(const struct plan *p)
{
    int n = 0;

    for (int i = 0; i < p->n_step; i++)
        n += p->step[i].nodes.n && node_is(p->step[i].nodes.node[0], "concat") && p->step[i].view;
    return n;
}

static int joined(const struct plan *p)
{
    int n = 0;

    for (int i = 0; i < p->n_step; i++)
        n += p->step[i].joined;
    return n;
}

/* Convolutions write channels of what concat makes; one that is read elsewhere
 * too, or is no convolution, does not.  */
static void test_spaced(void **state)
{
    static const char text[] =
        "network: test\ninput: {size: [8, 5, 7]}\nbody:\n"
        "  - concat:\n    - do: [conv: {out: 8, kernel: 1, bias: yes}, relu]\n"
        "    - do: [conv: {out: 24, kernel: 3, pad: 1}, bn, relu]\n"
        "  - add:\n    - do: [conv: {out: 16, kernel: 1}]\n    - do: [conv: {out: 16, kernel: 1}]\n"
        "  - concat: [conv: {out: 3, kernel: 1}, identity]\n"
        "  - concat:\n    - do: [add: [identity, conv: {out: 19, kernel: 1}]]\n"
        "    - do: [conv: {out: 5, kernel: 1}]\n"
        "  - global_avg_pool\n  - linear: {as: fc, out: 3}\n";

    (void)state;
    check_option(text, set_no_alias, viewed, 2);
}

/* Convolutions of one value are one launch where they read the same pixels:
 * the two of 1 x 1 and the two of 3 x 3 that are not normalised, in the first
 * block; none of the second, which have another stride, and groups.  */
static void test_siblings(void **state)
{
    static const char text[] =
        "network: test\ninput: {size: [8, 5, 7]}\nbody:\n"
        "  - concat:\n    - do: [conv: {out: 8, kernel: 1, bias: yes}, relu]\n"
        "    - do: [conv: {out: 80, kernel: 1}, bn, silu]\n"
        "    - do: [conv: {out: 24, kernel: 3, pad: 1}]\n"
        "    - do: [conv: {out: 8, kernel: 1}, add: [identity, identity], conv: {out: 8, kernel: 1}]\n"
        "    - do: [conv: {out: 16, kernel: 3, pad: 1, bias: yes}, relu6]\n"
        "  - concat:\n    - do: [conv: {out: 72, kernel: 3, pad: 1, stride: 2}]\n"
        "    - do: [conv: {out: 8, kernel: 1, stride: 2}]\n"
        "    - do: [conv: {out: 136, kernel: 3, pad: 1, stride: 2, groups: 8}]\n"
        "    - do: [conv: {out: 72, kernel: 3, pad: 1, stride: 2}]\n"
        "  - global_avg_pool\n  - linear: {as: fc, out: 3}\n";

    (void)state;
    check_option(text, set_no_siblings, joined, 4);
}

/* ---- what is missing ---- */

/* Too little memory is said so, with the batch that there is room for, and what
 * was got is given back.  */
static void test_memory(void **state)
{
    const size_t before = emu_used();
    struct plan_opts o = {.batch = 64};
    struct err e = {0};
    struct device *d;
    struct graph *g;
    struct params *ps;
    struct plan *p;
    const char *says;

    (void)state;
    if (!emu_present())
        skip();
    g = toy_graph(NULL, 1);
    d = gpu();
    emu_limit(before + 64);
    assert_null(params_new(g, d, &e));
    assert_int_equal(e.code, ERR_NOMEM);
    assert_non_null(strstr(e.msg, "memory of the GPU"));
    emu_limit(SIZE_MAX);
    e = (struct err){0};
    ps = params_new(g, d, &e);
    p = plan_new(g, d, ps, &o, &e);
    emu_limit(emu_used() - plan_bytes(p) / 2);
    plan_free(p);
    assert_null(plan_new(g, d, ps, &o, &e));
    assert_int_equal(e.code, ERR_NOMEM);
    says = strstr(e.msg, "where batch ");
    assert_non_null(says);
    o.batch = strtol(says + strlen("where batch "), NULL, 10);
    assert_in_range(o.batch, 16, 48);
    e = (struct err){0};
    p = plan_new(g, d, ps, &o, &e);
    assert_non_null(p);
    plan_free(p);
    params_free(ps);
    emu_limit(SIZE_MAX);
    graph_free(g);
    d->free(d);
    assert_int_equal(emu_used(), before);
}

static void test_names(void **state)
{
    struct device *d = gpu();

    (void)state;
    kernel_check_names(d);
    d->free(d);
}

static void test_none(void **state)
{
    struct err e = {0};

    (void)state;
    if (!emu_present())
        skip();
    emu_devices(0);
    assert_null(device_cuda_new(0, &e));
    assert_int_equal(e.code, ERR_DEVICE);
    emu_devices(1);
    e = (struct err){0};
    assert_null(device_cuda_new(1, &e));
    assert_int_equal(e.code, ERR_DEVICE);
    assert_non_null(strstr(e.msg, "this machine has 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spaced), cmocka_unit_test(test_siblings),
        cmocka_unit_test(test_memory), cmocka_unit_test(test_names),
        cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
