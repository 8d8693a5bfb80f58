/* print.c -- tests of graph/print.h.
 * SPDX-License-Identifier: MIT  */
#include "graph/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "graph/graph.h"
#include "op/ops.h"

static struct graph *sample(void)
{
    const struct shape in = {.rank = 4, .dim = {1, 2, 4, 4}, .batch = 1};
    const struct shape q = {.rank = 4, .dim = {1, 3, 4, 4}};
    struct graph *g = graph_new("net: 1");
    struct err e = {0};
    struct value *x = graph_input(g, "image", DTYPE_F32, &in), *w, *p;
    const struct node *a, *b, *c;

    a = graph_add(g, op_find("conv2d"), "a", &x, 1,
                  (const struct attr_text[]){
                      {"out", "3"}, {"kernel", "1"}, {"bias", "yes"}, {0}},
                  &e);
    assert_non_null(a);
    a->in[2]->init = "ones";
    w = graph_tensor(g, "shared", VALUE_PARAM, NULL, NULL);
    b = graph_add(
        g, op_find("conv2d"), "s.b", (struct value *[]){x, w}, 2,
        (const struct attr_text[]){{"out", "3"}, {"kernel", "1"}, {0}}, &e);
    assert_non_null(b);
    p = graph_tensor(g, "p", VALUE_PARAM, &q, NULL);
    p->init = "normal 0.02";
    c = graph_add(g, op_find("add"), "sum",
                  (struct value *[]){a->out[0], b->out[0], p}, 3, NULL, &e);
    if (!c)
        fail_msg("%s", e.msg);
    graph_output(g, "logits", c->out[0], 0);
    graph_output(g, "aux", a->out[0], 1)->loss = 0.3;
    graph_output(g, "b", b->out[0], 0)->loss = 2;
    graph_output(g, "c", b->out[0], 1);
    return g;
}

static void flat(void **state)
{
    static const char want[] =
        "network: \"net: 1\"\n"
        "input: {size: [2, 4, 4]}\n"
        "body:\n"
        "  - conv2d: {as: a, from: image, out: 3, kernel: [1, 1], stride: [1, "
        "1], pad: [0, 0, 0, 0], dilation: [1, 1], groups: 1, bias: yes, init: "
        "{bias: ones}}\n"
        "  - conv2d: {as: s.b, from: image, out: 3, kernel: [1, 1], stride: "
        "[1, 1], pad: [0, 0, 0, 0], dilation: [1, 1], groups: 1, bias: no, "
        "weight: shared}\n"
        "  - param: {as: p, shape: [1, 3, 4, 4], dtype: f32, init: normal "
        "0.02}\n"
        "  - add: {as: sum, from: [a, s.b, p]}\n"
        "outputs: {logits: sum, aux: {from: a, train: yes, loss: 0.3}, "
        "b: {from: s.b, loss: 2}, c: {from: s.b, train: yes}}\n";
    struct graph *g = sample();
    struct str s = {0};

    (void)state;
    graph_print(&s, g);
    assert_string_equal(str_text(&s), want);
    str_release(&s);
    graph_free(g);
}

static void inputs(void **state)
{
    const struct shape a = {.rank = 2, .dim = {1, 8}, .batch = 1},
                       b = {.rank = 3, .dim = {64, 49, 3}, .batch = 1};
    struct graph *g = graph_new("n");
    struct str s = {0};

    (void)state;
    graph_input(g, "a", DTYPE_F32, &a);
    graph_input(g, "b", DTYPE_I64, &b);
    graph_output(g, "o", g->value[0], 0);
    graph_print(&s, g);
    assert_string_equal(str_text(&s),
                        "network: n\n"
                        "input: {a: {dtype: f32, shape: [N, 8]}, b: {dtype: "
                        "i64, shape: [64N, 49, 3]}}\n"
                        "body: []\n"
                        "outputs: {o: a}\n");
    str_release(&s);
    graph_free(g);
}

static void dot(void **state)
{
    static const char want[] =
        "digraph \"net: 1\" {\n"
        "  node [shape=box, fontname=\"sans-serif\"];\n"
        "  v0 [shape=ellipse, label=\"image\\n[N,2,4,4]\"];\n"
        "  v6 [shape=ellipse, label=\"p\\n[1,3,4,4]\"];\n"
        "  n0 [label=\"a\\nconv2d [N,3,4,4]\"];\n"
        "  n1 [label=\"s.b\\nconv2d [N,3,4,4]\"];\n"
        "  n2 [label=\"sum\\nadd [N,3,4,4]\"];\n"
        "  v0 -> n0;\n"
        "  v0 -> n1;\n"
        "  n0 -> n2;\n"
        "  n1 -> n2;\n"
        "  v6 -> n2;\n"
        "  o0 [shape=ellipse, label=\"logits\"];\n"
        "  n2 -> o0;\n"
        "  o1 [shape=ellipse, label=\"aux\"];\n"
        "  n0 -> o1;\n"
        "  o2 [shape=ellipse, label=\"b\"];\n"
        "  n1 -> o2;\n"
        "  o3 [shape=ellipse, label=\"c\"];\n"
        "  n1 -> o3;\n"
        "}\n";
    struct graph *g = sample();
    struct str s = {0};

    (void)state;
    graph_print_dot(&s, g);
    assert_string_equal(str_text(&s), want);
    str_release(&s);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flat),
        cmocka_unit_test(inputs),
        cmocka_unit_test(dot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
