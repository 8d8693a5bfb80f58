/* training.c -- networks on the GPU, forward and back, against the ops'
 * definitions in double.
 * SPDX-License-Identifier: MIT
 *
 * The kernels run in the emulator (emu/), threads and blocks in an order that
 * is drawn: no order may change a bit.  (scripts/gpu-check runs the same on a
 * GPU.)  A plan may be as far from truth as the same in float node by node,
 * FACTOR times.  Steps of training have steps.c and replay.c.  */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../interp.h"
#include "../pass_check.h"
#include "../slow.h"
#include "../toy.h"
#include "../training_check.h"
#include "base/err.h"
#include "base/str.h"
#include "cases.h"
#include "cuda/cuda.h"
#include "emu.h"
#include "graph/graph.h"
#include "offers.h"
#include "op/ops.h"
#include "run/params.h"
#include "run/plan.h"
#include "run/plan_parts.h"
#include "train/initial.h"

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

/* quantised.c, vendor.c and steps.c have the others.  */
static int is_here(const struct kernel *k)
{
    return !(k->quantised || strstr(k->op, "quantize") || !strcmp(k->name, "conv2d_computed") ||
             !strcmp(k->name, "cublas") || !strncmp(k->name, "cudnn", 5) || offer_is_of_steps(k));
}

static void test_all_taken(void **state)
{
    (void)state;
    offers_check(&offers, is_here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),        cmocka_unit_test(test_inference),
        cmocka_unit_test(test_frozen),          cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_moved),           cmocka_unit_test(test_beside),
        cmocka_unit_test(test_siblings_beside), cmocka_unit_test(test_all_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
