/* quantised.c -- networks in 8 bits on the GPU give the bits of the CPU.
 * SPDX-License-Identifier: MIT
 *
 * The kernels run in the emulator (emu/), in several orders of threads; those
 * of the CPU are tested against the definitions of the ops
 * (tests/cpu/conv2d_direct_8.c).  scripts/gpu-check runs the same on a GPU.  */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../interp.h"
#include "../pass_check.h"
#include "../toy.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "cpu/cpu.h"
#include "cuda/cuda.h"
#include "emu.h"
#include "format/network.h"
#include "graph/graph.h"
#include "offers.h"
#include "op/ops.h"
#include "run/params.h"
#include "run/plan.h"
#include "run/plan_parts.h"
#include "train/initial.h"

enum { BATCH = 3 };

/* The last layer's numbers are compared; its input is on a grid.  */
struct quant_case {
    const char *what, *size, *body;
    int curves;   /* silu, sigmoid, tanh: a level may be the next */
    int siblings; /* steps that are done with another */
};

static const struct quant_case cases[] = {
    {"convolutions", "[3, 13, 11]",
     "  - conv: {out: 20, kernel: 3, pad: 1, bias: yes}\n  - relu\n"
     "  - conv: {out: 17, kernel: 1}\n"
     "  - conv: {out: 80, kernel: [3, 5], stride: [2, 1], pad: [1, 2]}\n  - relu6\n"
     "  - conv: {out: 7, kernel: 3, dilation: 2, pad: [0, 1, 3, 2], stride: 3}\n"},
    {"tensor cores", "[5, 12, 11]",
     "  - conv: {out: 16, kernel: 2, pad: 1}\n"
     "  - conv: {out: 48, kernel: 3, pad: 1, bias: yes}\n  - relu\n"
     "  - conv: {out: 150, kernel: 1, stride: 2}\n  - clip: {min: -0.2, max: 0.9}\n"
     "  - conv: {out: 96, kernel: 1}\n"
     "  - conv: {out: 16, kernel: 3, dilation: 2, pad: [4, 0, 1, 5]}\n  - relu\n"
     "  - conv: {out: 21, kernel: [1, 3], bias: yes}\n"},
    {"tensor cores, by eights", "[5, 9, 11]",
     "  - conv: {out: 24, kernel: 2, pad: 1}\n"
     "  - conv: {out: 72, kernel: 3, pad: 1, bias: yes}\n  - relu\n"
     "  - add:\n    - conv: {out: 40, kernel: 3, pad: [1, 0, 3, 4], dilation: 2}\n"
     "    - conv: {out: 40, kernel: 1}\n"
     "  - conv: {out: 48, kernel: 1, groups: 2}\n"
     "  - conv: {out: 21, kernel: [3, 1], stride: [2, 1]}\n"},
    {"groups", "[16, 9, 8]",
     "  - conv: {out: 32, kernel: 3, pad: 1, groups: 4, bias: yes}\n  - relu\n"
     "  - conv: {out: 48, kernel: 1, groups: 2}\n"
     "  - conv: {out: 12, kernel: 3, pad: 1, groups: 3}\n"
     "  - conv: {out: 20, kernel: 3, stride: 2, groups: 4}\n"},
    {"depthwise", "[6, 12, 9]",
     "  - conv: {out: 40, kernel: 1}\n  - relu6\n"
     "  - conv: {out: 40, kernel: 3, pad: 1, groups: 40, stride: 2}\n  - relu6\n"
     "  - conv: {out: 40, kernel: [2, 5], pad: [1, 2], dilation: [2, 1], groups: 40, bias: yes}\n"
     "  - conv: {out: 18, kernel: 1}\n"
     "  - conv: {out: 18, kernel: 7, pad: 3, groups: 18}\n"
     "  - conv: {out: 36, kernel: 3, pad: 1, groups: 18}\n"},
    {"residual", "[3, 10, 10]",
     "  - conv: {out: 16, kernel: 3, pad: 1}\n  - relu\n  - add:\n"
     "    - do: [conv: {out: 16, kernel: 3, pad: 1}, relu, conv: {out: 16, kernel: 3, pad: 1}]\n"
     "    - do: [identity]\n  - relu\n"
     "  - add:\n"
     "    - do: [conv: {out: 22, kernel: 3, stride: 2, pad: 1}]\n"
     "    - do: [conv: {out: 22, kernel: 1, stride: 2}]\n  - relu\n"
     "  - add: [identity, maxpool2d: {kernel: 3, stride: 1, pad: 1}]\n"
     "  - conv: {out: 5, kernel: 1}\n"},
    {"mobile", "[3, 11, 13]",
     "  - conv: {as: stem, out: 16, kernel: 3, stride: 2, pad: 1}\n  - hardswish\n"
     "  - add:\n    - identity\n"
     "    - do: [conv: {out: 48, kernel: 1}, relu6,"
     " conv: {out: 48, kernel: 3, pad: 1, groups: 48}, relu6, conv: {out: 16, kernel: 1}]\n"
     "  - conv: {out: 32, kernel: 1}\n  - hardswish\n  - global_avg_pool\n"
     "  - linear: {out: 35}\n  - hardswish\n  - linear: {out: 64}\n  - relu\n"
     "  - linear: {out: 10}\n"},
    {"squeeze and excite", "[8, 9, 7]",
     "  - conv: {out: 20, kernel: 1}\n  - relu\n  - mul:\n    - identity\n"
     "    - do: [global_avg_pool, reshape: {shape: [1, 20, 1, 1]},"
     " conv: {out: 5, kernel: 1, bias: yes}, relu,"
     " conv: {out: 20, kernel: 1, bias: yes}, hardsigmoid]\n"
     "  - conv: {out: 9, kernel: 1}\n"},
    {"shuffled", "[3, 9, 7]",
     "  - conv: {out: 40, kernel: 3, stride: 2, pad: 1}\n  - relu\n"
     "  - split: {as: half, sizes: [20, 20]}\n  - concat:\n"
     "    - do: [identity: {from: half}]\n"
     "    - do: [conv: {from: half/1, out: 24, kernel: 1}, relu,"
     " conv: {out: 24, kernel: 3, pad: 1, groups: 24}, conv: {out: 20, kernel: 1}, relu]\n"
     "  - channelshuffle: {groups: 2}\n"
     "  - split: {as: part, sizes: [7, 30, 3]}\n"
     "  - concat: [identity: {from: part/1}, identity: {from: part}]\n"
     "  - conv: {out: 11, kernel: 1}\n"},
    {"pools", "[5, 15, 14]",
     "  - conv: {out: 12, kernel: 1, bias: yes}\n"
     "  - concat:\n"
     "    - maxpool2d: {kernel: 3, stride: 2, ceil_mode: yes}\n"
     "    - avgpool2d: {kernel: 3, stride: 2, ceil_mode: yes}\n"
     "  - avgpool2d: {kernel: 3, stride: 1, pad: 1, count_include_pad: no}\n"
     "  - conv: {out: 7, kernel: 1}\n"
     "  - maxpool2d: {kernel: [2, 3], stride: [1, 2], pad: [1, 0]}\n"
     "  - avgpool2d: {kernel: 3, pad: 1}\n"
     "  - conv: {out: 5, kernel: 1}\n"},
    {"a row of pictures", "[16, 1, 1]",
     "  - conv: {out: 64, kernel: 1}\n  - relu\n"
     "  - concat: [conv: {out: 64, kernel: 1}, conv: {out: 32, kernel: 1}]\n"
     "  - conv: {out: 5, kernel: 1}\n",
     .siblings = 1},
    {"siblings", "[16, 7, 5]",
     "  - concat:\n    - do: [conv: {out: 24, kernel: 1}, relu]\n"
     "    - conv: {out: 136, kernel: 1, bias: yes}\n"
     "    - do: [conv: {out: 8, kernel: 1}, relu, conv: {out: 72, kernel: 3, pad: 1}]\n"
     "  - concat:\n    - do: [conv: {out: 80, kernel: 3, stride: 2}, relu6]\n"
     "    - conv: {out: 129, kernel: 3, stride: 2}\n"
     "    - conv: {out: 9, kernel: 1, stride: 3}\n",
     .siblings = 3},
    {"siblings of 24 channels", "[24, 4, 9]",
     "  - concat:\n    - do: [conv: {out: 70, kernel: 1}, relu]\n"
     "    - conv: {out: 66, kernel: 1}\n    - conv: {out: 130, kernel: 1}\n",
     .siblings = 2},
    {"rows", "[7, 3, 5]",
     "  - flatten\n  - linear: {out: 70}\n  - relu\n  - linear: {out: 64, bias: no}\n  - relu\n"
     "  - linear: {out: 150}\n  - linear: {out: 9}\n  - softmax\n"},
    {"transformer", "[3, 18, 16]",
     "  - conv: {out: 32, kernel: 2, stride: 2, bias: yes}\n  - tokens\n  - add:\n    - identity\n"
     "    - do: [ln, linear: {out: 96}, attention: {heads: 2}, linear: {out: 32}]\n"
     "  - add:\n    - identity\n"
     "    - do: [ln, linear: {out: 40}, relu, linear: {out: 32}]\n"
     "  - ln\n  - reduce: {axes: [1], keep: no}\n  - linear: {out: 5}\n",
     1},
    {"curves", "[3, 9, 8]",
     "  - conv: {out: 16, kernel: 3}\n  - silu\n"
     "  - conv: {out: 20, kernel: 1}\n  - sigmoid\n"
     "  - conv: {out: 20, kernel: 3, groups: 20}\n  - tanh\n"
     "  - conv: {out: 9, kernel: 1}\n",
     1},
};

/* ---- kernels that were taken ---- */

static struct offers offers;

/* ---- running ---- */

/* G fused and in 8 bits, by the ranges of a few pictures; takes it.  */
static struct graph *quantise(struct graph *g)
{
    struct err e = {0};
    struct graph *f = pass_fuse_bn(g, &e), *q;
    struct pass_ranges r;

    assert_non_null(f);
    pass_check_ranges(&r, f, NULL);
    q = pass_quantize(f, &r.o, &e);
    if (!q)
        fail_msg("%s", e.msg);
    graph_free(f);
    graph_free(g);
    return q;
}

static struct plan *bind(const struct graph *g, const struct device *d, struct params *ps,
                         int64_t batch, int keep)
{
    const struct plan_opts o = {.batch = batch, .keep_values = keep};
    const struct rng r = rng_at(5, RNG_TEST, 0, 0);
    struct err e = {0};
    struct plan *p = plan_new(g, d, ps, &o, &e);
    struct tensor *x;

    if (!p)
        fail_msg("%s", e.msg);
    x = plan_value(p, "image");
    for (int64_t i = 0; i < tensor_count(x); i++)
        ((float *)x->data)[i] = (float)rng_normal(&r, (uint64_t)i);
    return p;
}

static struct params *params_of(const struct graph *g, const struct device *d)
{
    struct err e = {0};
    struct params *ps = params_share(g, d, &e);

    if (!ps)
        fail_msg("%s", e.msg);
    return ps;
}

static const struct tensor *answer(struct plan *p, const struct graph *g)
{
    return plan_output(p, g->output[0].name);
}

/* The largest difference, in units of the largest number.  */
static double apart(const struct tensor *a, const struct tensor *b)
{
    const float *x = a->data, *y = b->data;
    double most = 0, far = 0;

    for (int64_t i = 0; i < tensor_count(a); i++) {
        most = fmax(most, fabs((double)y[i]));
        far = fmax(far, fabs((double)x[i] - y[i]));
    }
    return far / fmax(most, 1e-30);
}

/* The CPU rounds a product and a sum at once, as a GPU does.  */
static int cpu_has_fma(void)
{
    return (cpu_features() & (CPU_AVX2 | CPU_NEON)) != 0;
}

/* A few levels of 255 at the end where some were the next at first.  */
#define LEVELS 0.04

static void compare(const struct quant_case *c, const struct tensor *gpu_y,
                    const struct tensor *cpu_y)
{
    const double far = apart(gpu_y, cpu_y);

    if (!(far <= (c->curves || !cpu_has_fma() ? LEVELS : 0)))
        fail_msg("%s: %g of the largest apart from the CPU's", c->what, far);
}

/* What runs in 8 bits reads no weight that was made float again.  */
static void check_steps(const struct quant_case *c, const struct plan *p)
{
    for (int i = 0; i < p->n_step; i++)
        if (p->step[i].kernel && !strcmp(p->step[i].kernel->name, "conv2d_computed"))
            fail_msg("%s: '%s' is not in 8 bits", c->what, p->step[i].nodes.node[0]->name);
}

static void check_siblings(const struct quant_case *c, const struct plan *p)
{
    int n = 0;

    for (int i = 0; i < p->n_step; i++)
        n += p->step[i].joined;
    if (n != c->siblings)
        fail_msg("%s: %d steps are done with another, not %d", c->what, n, c->siblings);
}

static void check_fused(const struct quant_case *c, const struct graph *q, int64_t batch)
{
    struct err e = {0};
    struct device *cpu = device_cpu_new(cpu_features()), *d = gpu();
    struct params *cpu_ps = params_of(q, cpu), *ps = params_of(q, d);
    struct plan *want = bind(q, cpu, cpu_ps, batch, 0), *p = bind(q, d, ps, batch, 0);

    assert_int_equal(plan_run(want, NULL, &e), 0);
    for (uint64_t seed = 1; seed < 4; seed++) { /* the third is replayed */
        emu_seed(seed);
        if (plan_run(p, NULL, &e) < 0)
            fail_msg("%s: %s", c->what, e.msg);
        compare(c, answer(p, q), answer(want, q));
    }
    offers_note(&offers, p);
    check_steps(c, p);
    check_siblings(c, p);
    plan_free(p);
    plan_free(want);
    params_free(ps);
    params_free(cpu_ps);
    d->free(d);
    device_cpu_free(cpu);
}

/* Node by node in float: a level may be the next, and what follows.  */
static void check_kept(const struct quant_case *c, const struct graph *q, int64_t batch)
{
    struct err e = {0};
    struct device *cpu = device_cpu_new(0), *d = gpu();
    struct params *cpu_ps = params_of(q, cpu), *ps = params_of(q, d);
    struct plan *want = bind(q, cpu, cpu_ps, batch, 1), *p = bind(q, d, ps, batch, 1);

    assert_int_equal(plan_run(want, NULL, &e), 0);
    emu_seed(1);
    assert_int_equal(plan_run(p, NULL, &e), 0);
    if (!(apart(answer(p, q), answer(want, q)) <= LEVELS))
        fail_msg("%s: node by node %g apart", c->what, apart(answer(p, q), answer(want, q)));
    offers_note(&offers, p);
    plan_free(p);
    plan_free(want);
    params_free(ps);
    params_free(cpu_ps);
    d->free(d);
    device_cpu_free(cpu);
}

static struct graph *case_graph(const struct quant_case *c)
{
    struct str text = {0};
    struct graph *g;

    str_printf(&text, "network: test\ninput: {size: %s}\nbody:\n%s", c->size, c->body);
    g = quantise(toy_graph(str_text(&text), 5));
    str_release(&text);
    return g;
}

static void test_fused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct graph *q = case_graph(&cases[i]);

        check_fused(&cases[i], q, 1);
        check_fused(&cases[i], q, BATCH);
        graph_free(q);
    }
}

static void test_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct graph *q = case_graph(&cases[i]);

        check_kept(&cases[i], q, 1);
        graph_free(q);
    }
}

/* A bias of f32, as models from elsewhere have it, and one scale for all
 * weights.  */
static void test_float_bias(void **state)
{
    static const struct quant_case c = {"a float bias", "[16, 6, 5]",
                                        "  - conv: {as: a, out: 24, kernel: 3, bias: yes}\n"
                                        "  - conv: {as: b, out: 9, kernel: 1, bias: yes}\n"};
    struct graph *q = case_graph(&c);
    struct node *n = graph_value(q, "a")->node;
    struct err e = {0};
    struct tensor t;

    (void)state;
    assert_int_equal(tensor_new(&t, DTYPE_F32, &n->in[2]->shape, &e), 0);
    for (int64_t i = 0; i < tensor_count(&t); i++)
        ((float *)t.data)[i] = (float)(i % 7) * 0.3f - 0.9f;
    node_set_in(n, 2, graph_tensor(q, "a_bias", VALUE_PARAM, NULL, &t));
    tensor_unref(&t);
    graph_sort(q);
    graph_prune(q);
    check_fused(&c, q, 1);
    graph_free(q);
}

/* A whole network of the zoo, at small pictures.  */
static void check_network(const char *name, const char *size)
{
    const char *const options[] = {size, NULL};
    const struct quant_case c = {name, NULL, NULL, 0};
    struct err e = {0};
    struct network *n = network_open(name, &e);
    struct graph *g = n ? network_graph(n, options, &e) : NULL, *q;

    if (!g || initial_fill(g, 3, NULL, &e) < 0)
        fail_msg("%s", e.msg);
    network_close(n);
    q = quantise(g);
    check_fused(&c, q, 1);
    graph_free(q);
}

static void test_networks(void **state)
{
    (void)state;
    check_network("resnet20", "size=12");
}

static void test_all_taken(void **state)
{
    struct device *d = gpu();
    int missing = 0;

    (void)state;
    for (const struct kernel *const *k = d->kernels; *k; k++)
        if (((*k)->quantised || strstr((*k)->op, "quantize") ||
             !strcmp((*k)->name, "conv2d_computed")) &&
            !offer_is_taken(&offers, *k)) {
            print_message("# no plan takes %s of %s in %s\n", (*k)->name, (*k)->op,
                          layout_name((*k)->reads));
            missing++;
        }
    d->free(d);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fused),      cmocka_unit_test(test_kept),
        cmocka_unit_test(test_float_bias), cmocka_unit_test(test_networks),
        cmocka_unit_test(test_all_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
