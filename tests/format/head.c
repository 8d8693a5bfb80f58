/* head.c -- tests of format/head.h: the parameters `classes=0' and
 * `embedding' of every network.
 * SPDX-License-Identifier: MIT  */
#include "format/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "format/network.h"
#include "graph/graph.h"
#include "graph/print.h"
#include "train/initial.h"

static struct graph *read(const char *name, const char *a, const char *b)
{
    const char *const opts[] = {a, b, NULL};
    struct err e = {0};
    struct graph *g =
        strchr(name, '\n')
            ? network_parse("t", name, strlen(name), NULL, opts, &e)
            : network_read(name, opts, &e);

    if (!g)
        fail_msg("%s: %s", name, e.msg);
    return g;
}

/* The networks of zoo families, their features and classifiers.  */
static const struct {
    const char *name, *features, *shape, *head;
} t[] = {
    {"resnet18", "global_avg_pool", "[N,512]", "fc"},
    {"vgg11", "classifier.5", "[N,4096]", "classifier.6"},
    {"squeezenet1.1", "global_avg_pool", "[N,512]", "classifier.1"},
    {"googlenet", "dropout", "[N,1024]", "fc"},
    {"lenet5", "relu_4", "[N,84]", "fc3"},
    {"vit-b-32", "select", "[N,768]", "heads.head"},
    {"deit-tiny", "select", "[N,192]", "head"},
    {"mobilenet-v3-small", "classifier.2", "[N,1024]", "classifier.3"},
};

static void no_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        struct graph *g = read(t[i].name, "classes=0", NULL);
        const struct value *v = graph_output_value(g, "features");

        assert_int_equal(g->n_output, 1);
        assert_string_equal(graph_answer(g), "features");
        assert_string_equal(v->name, t[i].features);
        assert_string_equal(ST(&v->shape), t[i].shape);
        for (int k = 0; k < g->n_value; k++)
            assert_false(head_has(g, g->value[k]));
        graph_free(g);
    }
}

static void embedding(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        struct graph *g = read(t[i].name, "embedding=24", "classes=7");
        const struct node *head = graph_value(g, t[i].head)->node;
        const struct node *n = graph_value(g, "embedding")->node;
        struct err e = {0};

        assert_ptr_equal(head->in[0], n->out[0]);
        assert_string_equal(n->op->name, head->op->name);
        assert_int_equal(head->in[1]->shape.dim[0], 7);
        assert_int_equal(head->in[1]->shape.dim[1], 24);
        assert_non_null(graph_value(g, "embedding.bias"));
        assert_true(head_has(g, head->in[1]));
        assert_true(head_has(g, graph_value(g, "embedding.weight")));
        assert_int_equal(graph_check(g, &e), 0);
        graph_free(g);
        g = read(t[i].name, "embedding=24", "classes=0");
        assert_string_equal(graph_output_value(g, "features")->name,
                            "embedding");
        assert_true(head_has(g, graph_value(g, "embedding.weight")));
        graph_free(g);
        g = read(t[i].name, "embedding=0", NULL);
        assert_null(graph_value(g, "embedding"));
        graph_free(g);
    }
}

/* Two classifiers whose answers are added, as of a distilled transformer; a
 * name that bears the last layer.  */
static const char two[] =
    "with: {classes: 5}\n"
    "input: {size: [3, 8, 8]}\n"
    "body:\n"
    "- conv: {as: conv, out: 6, kernel: 3}\n"
    "- relu\n"
    "- global_avg_pool: {as: pool}\n"
    "- add:\n"
    "  - linear: {as: one, out: $classes}\n"
    "  - linear: {as: two, out: $classes}\n"
    "outputs: {logits: add, first: {from: one, train: yes}}\n";

static void two_classifiers(void **state)
{
    struct graph *g = read(two, "embedding=4", NULL);

    (void)state;
    assert_string_equal(graph_value(g, "one")->node->in[0]->name, "embedding");
    assert_string_equal(graph_value(g, "two")->node->in[0]->name,
                        "embedding_2");
    assert_true(head_has(g, graph_value(g, "two.weight")));
    graph_free(g);
    g = read(two, "classes=0", NULL);
    assert_int_equal(g->n_output, 1);
    assert_string_equal(ST(&graph_output_value(g, "features")->shape), "[N,6]");
    graph_free(g);
}

/* The same in the zoo, with both for a teacher in training.  */
static void distilled(void **state)
{
    struct graph *g = read("deit-tiny-distilled", "classes=0", NULL);

    (void)state;
    assert_int_equal(g->n_output, 1);
    assert_string_equal(ST(&graph_output_value(g, "features")->shape),
                        "[N,192]");
    graph_free(g);
    g = read("deit-tiny-distilled", "embedding=16", NULL);
    assert_string_equal(graph_value(g, "head_dist")->node->in[0]->name,
                        "embedding_2");
    graph_free(g);
}

static void refused(void **state)
{
    static const struct {
        const char *net, *opt, *want;
    } bad[] = {
        {two, "embedding=x",
         "'embedding' is a whole number from 0 to 65536, "
         "not 'x'"},
        {two, "embedding=-1", "not '-1'"},
        {two, "embedding=65537", "not '65537'"},
        {two, "embeding=3", "did you mean 'embedding'"},
        {"input: {size: [3, 8, 8]}\nbody: [bn: {as: b}]\n", "embedding=3",
         "the network ends in 'b' (batchnorm2d)"},
        {"with: {width: 8}\ninput: {size: [3, 8, 8]}\n"
         "body: [conv: {out: $width, kernel: 1}]\n",
         "width=0", "out"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *const opts[] = {bad[i].opt, NULL};
        struct err e = {0};

        assert_null(
            network_parse("t", bad[i].net, strlen(bad[i].net), NULL, opts, &e));
        if (!strstr(e.msg, bad[i].want))
            fail_msg("%s: '%s' is not in: %s", bad[i].opt, bad[i].want, e.msg);
    }
}

/* A new head shares all else, whatever gives the logits.  */
static void renewed(void **state)
{
    static const char *const names[] = {"resnet18", "squeezenet1.1", "vit-t-32",
                                        "lenet5", "mobilenet-v3-small"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct err e = {0};
        struct graph *g = read(names[i], NULL, NULL), *want, *h;
        struct str a = {0}, b = {0};

        assert_int_equal(initial_fill(g, 1, NULL, &e), 0);
        h = head_renew(g, 7, &e);
        if (!h)
            fail_msg("%s: %s", names[i], e.msg);
        want = read(names[i], "classes=7", NULL);
        graph_print(&a, want);
        graph_print(&b, h);
        if (strcmp(str_text(&a), str_text(&b)) != 0)
            fail_msg("%s: %s\nnot\n%s", names[i], str_text(&b), str_text(&a));
        for (int k = 0; k < h->n_value; k++) {
            const struct value *v = h->value[k];

            if (value_is_tensor(v))
                assert_ptr_equal(
                    v->data.data,
                    head_has(h, v) ? NULL : graph_value(g, v->name)->data.data);
        }
        str_release(&a);
        str_release(&b);
        graph_free(want);
        graph_free(h);
        graph_free(g);
    }
}

static void not_renewed(const char *name, const char *opt, const char *word)
{
    struct graph *g = read(name, opt, NULL);
    struct err e = {0};

    assert_null(head_renew(g, 7, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    if (!strstr(e.msg, word))
        fail_msg("%s: '%s' is not in: %s", name, word, e.msg);
    graph_free(g);
}

static void no_other_head(void **state)
{
    (void)state;
    not_renewed("resnet18", "classes=0", "it has no classifier");
    not_renewed("deit-tiny-distilled", NULL, "is a head for training alone");
    not_renewed("googlenet", NULL, "'aux1' is a head for training alone");
    not_renewed("network: t\ninput: {size: [3, 8, 8]}\nbody:\n"
                "  - conv: {as: c, out: 4, kernel: 8}\n  - flatten\n"
                "  - bn: {as: last}\n",
                NULL, "it ends in 'last' (batchnorm2d)");
    not_renewed("network: t\ninput: {size: [3, 8, 8]}\nbody:\n"
                "  - global_avg_pool\n  - linear: {as: fc, out: 8}\n"
                "  - reshape: {shape: [2, 4]}\n",
                NULL, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_classes),      cmocka_unit_test(embedding),
        cmocka_unit_test(two_classifiers), cmocka_unit_test(distilled),
        cmocka_unit_test(refused),         cmocka_unit_test(renewed),
        cmocka_unit_test(no_other_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
