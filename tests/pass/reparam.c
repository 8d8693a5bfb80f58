/* reparam.c -- parallel linear branches merged into one convolution.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../graph_random.h"
#include "../pass_check.h"
#include "base/err.h"
#include "base/mem.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"

static void random_graphs(void **state)
{
    (void)state;
    pass_check_random(pass_reparam, 60, 1);
}

/* Both passes in turn until nothing changes: a merged branch can stand in
 * front of another normalisation.  */
static struct graph *both(const struct graph *in, struct err *e)
{
    struct graph *g = graph_copy(in);
    int n;

    do {
        struct graph *fused = pass_fuse_bn(g, e);

        n = g->n_node;
        graph_free(g);
        g = fused ? pass_reparam(fused, e) : NULL;
        graph_free(fused);
    } while (g && g->n_node < n);
    return g;
}

static void behind_fuse_bn(void **state)
{
    (void)state;
    pass_check_random(both, 20, 1);
}

static struct value *add(struct graph *g, const char *op, const char *name,
                         struct value *x, const struct attr_text *attr)
{
    struct err e = {0};
    struct node *n = graph_add(g, op_find(op), name, &x, 1, attr, &e);

    if (!n)
        fail_msg("%s", e.msg);
    return n->out[0];
}

static struct value *sum(struct graph *g, const char *name,
                         struct value *const *v, int n)
{
    struct err e = {0};
    struct node *x = graph_add(g, op_find("add"), name, v, n, NULL, &e);

    if (!x)
        fail_msg("%s", e.msg);
    return x->out[0];
}

static struct value *image(struct graph *g)
{
    const struct shape s = {.rank = 4, .dim = {1, 4, 7, 6}, .batch = 1};

    return graph_input(g, "image", DTYPE_F32, &s);
}

/* The block of RepVGG with timm's names; the identity where STRIDE is 1.  */
static struct graph *block(const char *stride, const char *groups)
{
    const struct attr_text large[] = {{"out", "4"},       {"kernel", "3"},
                                      {"pad", "1"},       {"stride", stride},
                                      {"groups", groups}, {0}};
    const struct attr_text small[] = {{"out", "4"},
                                      {"kernel", "1"},
                                      {"stride", stride},
                                      {"groups", groups},
                                      {0}};
    struct graph *g = graph_new("repvgg");
    struct value *x = image(g), *v[3];

    v[0] = add(g, "conv2d", "stages.0.0.conv_kxk.conv", x, large);
    v[0] = add(g, "batchnorm2d", "stages.0.0.conv_kxk.bn", v[0], NULL);
    v[1] = add(g, "conv2d", "stages.0.0.conv_1x1.conv", x, small);
    v[1] = add(g, "batchnorm2d", "stages.0.0.conv_1x1.bn", v[1], NULL);
    if (stride[0] == '1')
        v[2] = add(g, "batchnorm2d", "stages.0.0.identity", x, NULL);
    x = sum(g, "stages.0.0.add", v, stride[0] == '1' ? 3 : 2);
    graph_output(g, "logits", add(g, "relu", "stages.0.0.relu", x, NULL), 0);
    graph_random_fill(g, 5);
    return g;
}

static void check_block(const char *stride, const char *groups)
{
    struct graph *g = block(stride, groups), *p;
    struct err e = {0};

    pass_check_one(pass_reparam, g, 1);
    p = pass_reparam(g, &e);
    assert_int_equal(p->n_node, 2);
    assert_string_equal(p->node[0]->op->name, "conv2d");
    assert_string_equal(p->node[0]->name, "stages.0.0.add");
    assert_non_null(graph_value(p, "stages.0.0.reparam_conv.weight"));
    assert_non_null(graph_value(p, "stages.0.0.reparam_conv.bias"));
    assert_int_equal(p->n_value, 5);
    graph_free(p);
    graph_free(g);
}

static void repvgg(void **state)
{
    (void)state;
    check_block("1", "1");
    check_block("2", "1");
    check_block("1", "2");
    check_block("1", "4");
    check_block("2", "2");
}

/* How a block of MobileOne or PP-LCNetV2 is made: convolutions of these
 * kernels, each normalised, beside the normalised value itself.  */
struct many {
    const char *groups;
    int kernel[6]; /* 0: the value itself */
    int n;
};

static struct value *branch(struct graph *g, struct value *x, int i, int kernel,
                            const char *groups)
{
    const struct attr_text attr[] = {
        {"out", "4"},
        {"kernel", arena_printf(&g->arena, "%d", kernel)},
        {"pad", arena_printf(&g->arena, "%d", kernel / 2)},
        {"groups", groups},
        {0}};

    if (kernel)
        x = add(g, "conv2d", arena_printf(&g->arena, "b.%d.conv", i), x, attr);
    return add(g, "batchnorm2d", arena_printf(&g->arena, "b.%d.bn", i), x,
               NULL);
}

static void check_many(const struct many *m)
{
    struct graph *g = graph_new("many"), *p;
    struct value *x = image(g), *v[6];
    struct err e = {0};

    for (int i = 0; i < m->n; i++)
        v[i] = branch(g, x, i, m->kernel[i], m->groups);
    x = sum(g, "b.add", v, m->n);
    graph_output(g, "logits", add(g, "relu", "b.relu", x, NULL), 0);
    graph_random_fill(g, 7);
    pass_check_one(pass_reparam, g, 1);
    p = pass_reparam(g, &e);
    assert_int_equal(p->n_node, 2);
    assert_string_equal(p->node[0]->op->name, "conv2d");
    assert_string_equal(p->node[0]->name, "b.add");
    assert_non_null(graph_value(p, "b.reparam_conv.weight"));
    graph_free(p);
    graph_free(g);
}

/* Several branches of one shape, depthwise or not; a sum of one.  */
static void mobileone(void **state)
{
    static const struct many cases[] = {
        {"4", {0, 1, 3, 3, 3, 3}, 6},
        {"1", {0, 1, 1, 1, 1}, 5},
        {"4", {5, 3, 1}, 3},
        {"2", {1, 5, 7, 0, 3}, 5},
        {"1", {1}, 1},
        {"4", {3}, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        check_many(&cases[i]);
}

/* How many nodes remain of conv(x, ATTR) + conv 3x3 pad 1 (x).  */
static int left_of(const struct attr_text *attr)
{
    static const struct attr_text large[] = {
        {"out", "4"}, {"kernel", "3"}, {"pad", "1"}, {0}};
    struct graph *g = graph_new("pair"), *p;
    struct value *x = image(g), *v[2];
    struct err e = {0};
    int n;

    v[0] = add(g, "conv2d", "large", x, large);
    v[1] = add(g, "conv2d", "small", x, attr);
    graph_output(g, "logits", sum(g, "add", v, 2), 0);
    graph_random_fill(g, 5);
    pass_check_one(pass_reparam, g, 1);
    p = pass_reparam(g, &e);
    n = p->n_node;
    graph_free(p);
    graph_free(g);
    return n;
}

/* F-152: branches that do not match stay as they are.  */
static void alignment(void **state)
{
    (void)state;
    assert_int_equal(
        left_of((struct attr_text[]){{"out", "4"}, {"kernel", "1"}, {0}}), 1);
    /* A row: taps at (1, 0) to (1, 2) of the base.  */
    assert_int_equal(
        left_of((struct attr_text[]){
            {"out", "4"}, {"kernel", "[1, 3]"}, {"pad", "[0, 1]"}, {0}}),
        1);
    /* A single tap off the centre: padded above and left only.  */
    assert_int_equal(
        left_of((struct attr_text[]){
            {"out", "4"}, {"kernel", "2"}, {"pad", "[1, 1, 0, 0]"}, {0}}),
        1);
    assert_int_equal(
        left_of((struct attr_text[]){
            {"out", "4"}, {"kernel", "2"}, {"pad", "[0, 0, 1, 1]"}, {0}}),
        1);
    /* Taps between those of the base.  */
    assert_int_equal(left_of((struct attr_text[]){{"out", "4"},
                                                  {"kernel", "3"},
                                                  {"pad", "2"},
                                                  {"dilation", "2"},
                                                  {0}}),
                     3);
    /* Groups inside of the base's one.  */
    assert_int_equal(left_of((struct attr_text[]){
                         {"out", "4"}, {"kernel", "1"}, {"groups", "2"}, {0}}),
                     1);
    /* Another size that adds by broadcasting.  */
    assert_int_equal(
        left_of((struct attr_text[]){{"out", "1"}, {"kernel", "1"}, {0}}), 3);
}

/* One node of a run, behind the one before.  */
struct part {
    const char *op;
    struct attr_text attr[5];
};

/* How many nodes remain of run PART, N long, beside a 3x3 of stride STRIDE and
 * padding PAD.  */
static int left_of_run(const struct part *part, int n, const char *stride,
                       const char *pad)
{
    const struct attr_text base[] = {
        {"out", "4"}, {"kernel", "3"}, {"stride", stride}, {"pad", pad}, {0}};
    struct graph *g = graph_new("run"), *p;
    struct value *x = image(g), *v[2];
    struct err e = {0};

    v[0] = add(g, "conv2d", "base", x, base);
    for (int i = 0; i < n; i++)
        x = add(g, part[i].op, graph_name_free(g, "part"), x, part[i].attr);
    v[1] = x;
    graph_output(g, "logits", sum(g, "add", v, 2), 0);
    graph_random_fill(g, 9);
    pass_check_one(pass_reparam, g, 1);
    p = pass_reparam(g, &e);
    n = p->n_node;
    graph_free(p);
    graph_free(g);
    return n;
}

/* clang-format off */
#define CONV(out, ...) {"conv2d", {{"out", out}, __VA_ARGS__}}
#define K1 {"kernel", "1"}
#define K3 {"kernel", "3"}
#define POINT CONV("6", K1)
#define BIASED CONV("6", K1, {"bias", "yes"})
#define SQUARE(pad) CONV("4", K3, {"pad", pad})
#define BN {"batchnorm2d", {{0}}}
#define PAD(...) {"pad", {{"pad", "1"}, __VA_ARGS__}}
#define MEAN(pad, all) \
    {"avgpool2d", {K3, {"stride", "1"}, {"pad", pad}, \
                   {"count_include_pad", all}}}
#define CUT(axis, from, length) \
    {"slice", {{"axis", axis}, {"start", from}, {"length", length}}}

/* Runs of linear nodes; those that are no convolution at the border stay.  */
static const struct {
    int left, n;
    struct part part[6];
    const char *stride, *pad;
} run_cases[] = {
    /* zeros around what is zero there, or around nothing */
    {1, 2, {POINT, SQUARE("1")}, "1", "1"},
    {1, 3, {POINT, SQUARE("1"), BN}, "1", "1"},
    {1, 3, {BIASED, BN, SQUARE("0")}, "1", "0"},
    /* zeros around constants */
    {4, 2, {BIASED, SQUARE("1")}, "1", "1"},
    {5, 3, {POINT, BN, SQUARE("1")}, "1", "1"},
    {4, 2, {BN, SQUARE("1")}, "1", "1"},
    /* zeros in front: pad, or a 1x1 that pads */
    {1, 4, {PAD({0}), POINT, BN, SQUARE("0")}, "1", "1"},
    {1, 3, {CONV("2", K1, {"pad", "1"}), BN, SQUARE("0")}, "1", "1"},
    {5, 3, {PAD({"value", "1"}), POINT, SQUARE("0")}, "1", "1"},
    {5, 3, {PAD({"mode", "edge"}), POINT, SQUARE("0")}, "1", "1"},
    /* averages */
    {1, 1, {MEAN("1", "yes")}, "1", "1"},
    {1, 2, {MEAN("1", "yes"), BN}, "1", "1"},
    {3, 1, {MEAN("1", "no")}, "1", "1"},
    {1, 1, {MEAN("0", "no")}, "1", "0"},
    /* strides: of the first, of the second */
    {1, 2, {CONV("6", K1, {"stride", "2"}), CONV("4", K1)}, "2", "1"},
    {1, 2, {POINT, CONV("4", K3, {"stride", "2"}, {"pad", "1"})}, "2", "1"},
    /* a kernel that grows beyond the base */
    {4, 2, {SQUARE("1"), SQUARE("1")}, "1", "1"},
    /* cut off at both ends, or at one with zeros again */
    {1, 3, {CUT("2", "1", "5"), CUT("-1", "1", "4"), CONV("4", K1)}, "1", "0"},
    {4, 2, {CUT("2", "0", "5"), CONV("4", K3, {"pad", "[2, 1]"})}, "1", "1"},
    /* groups inside of the base's one */
    {1, 2, {CONV("8", K1, {"groups", "4"}),
            CONV("4", K3, {"pad", "1"}, {"groups", "2"})}, "1", "1"},
};
/* clang-format on */

static void runs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(run_cases); i++) {
        const int left = left_of_run(run_cases[i].part, run_cases[i].n,
                                     run_cases[i].stride, run_cases[i].pad);

        if (left != run_cases[i].left)
            fail_msg("run %d: %d nodes are left, not %d", (int)i, left,
                     run_cases[i].left);
    }
}

/* Branches right below the name of a layer, which the sum is not, are parts
 * of that layer; else the scope gets the new weights.  */
static void names(void **state)
{
    static const struct {
        const char *large, *small, *sum, *weight;
    } t[] = {
        {"s.a.k", "s.a.p", "s.bn", "s.a.weight"},
        {"a.k", "a.p", "a", "a.weight"},
        {"s.a.k", "s.a.p", "s.a.add", "s.a.reparam_conv.weight"},
        {"s.a.k.conv", "s.a.p", "s.add", "s.reparam_conv.weight"},
        {"s.a.k", "s.b.p", "s.add", "s.reparam_conv.weight"},
        {"k", "p", "add", "add.weight"},
    };
    const struct attr_text small[] = {{"out", "4"}, {"kernel", "1"}, {0}};
    const struct attr_text large[] = {
        {"out", "4"}, {"kernel", "3"}, {"pad", "1"}, {0}};

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        struct graph *g = graph_new("names"), *p;
        struct value *x = image(g), *v[2];
        struct err e = {0};

        v[0] = add(g, "conv2d", t[i].small, x, small);
        v[1] = add(g, "conv2d", t[i].large, x, large);
        graph_output(g, "logits", sum(g, t[i].sum, v, 2), 0);
        graph_random_fill(g, 5);
        p = pass_reparam(g, &e);
        assert_int_equal(p->n_node, 1);
        assert_string_equal(p->node[0]->name, t[i].sum);
        assert_string_equal(p->node[0]->in[1]->name, t[i].weight);
        graph_free(p);
        graph_free(g);
    }
}

/* A residual block is no block of parallel linear branches; an operand of
 * another source stays.  */
static void others_stay(void **state)
{
    static const struct attr_text large[] = {
        {"out", "4"}, {"kernel", "3"}, {"pad", "1"}, {0}};
    struct graph *g = graph_new("mixed"), *p;
    struct value *x = image(g), *v[3];
    struct err e = {0};

    (void)state;
    v[0] = add(g, "relu", "relu", x, NULL);
    v[1] = add(g, "conv2d", "b.conv", x, large);
    v[2] = x;
    x = sum(g, "b.add", v, 3);
    v[0] = x;
    v[1] = add(g, "relu", "c.relu", add(g, "conv2d", "c.conv", x, large), NULL);
    graph_output(g, "logits", sum(g, "c.add", v, 2), 0);
    graph_random_fill(g, 5);
    pass_check_one(pass_reparam, g, 1);
    p = pass_reparam(g, &e);
    assert_int_equal(p->n_node, g->n_node);
    assert_int_equal(graph_value(p, "b.add")->node->n_in, 2);
    assert_non_null(graph_value(p, "b.reparam_conv"));
    assert_non_null(graph_value(p, "b.reparam_conv.weight"));
    assert_int_equal(graph_value(p, "c.add")->node->n_in, 2);
    graph_free(p);
    graph_free(g);
}

static void bad_numbers(void **state)
{
    struct graph *g = block("1", "1");
    float *var = graph_value(g, "stages.0.0.identity.running_var")->data.data;

    (void)state;
    var[3] = -2;
    pass_check_fails(pass_reparam, g, ERR_NONFINITE, "stages.0.0.identity",
                     "channel 3");
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs), cmocka_unit_test(behind_fuse_bn),
        cmocka_unit_test(repvgg),        cmocka_unit_test(mobileone),
        cmocka_unit_test(alignment),     cmocka_unit_test(runs),
        cmocka_unit_test(names),         cmocka_unit_test(others_stay),
        cmocka_unit_test(bad_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
