/* convform.c -- tests of format/convform.h: -o conv=NAME, and that
 * adze-reparam makes the plain network of it again.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../graph_random.h"
#include "../pass_check.h"
#include "base/err.h"
#include "base/str.h"
#include "format/network.h"
#include "graph/graph.h"
#include "graph/print.h"

static const char *const forms[] = {"acb", "dbb", "rep"};

static struct graph *read(const char *text, const char *form)
{
    char opt[64];
    const char *const opts[] = {opt, NULL};
    struct err e = {0};
    struct graph *g;

    snprintf(opt, sizeof opt, "conv=%s", form);
    g = network_parse("t", text, strlen(text), NULL, opts, &e);
    if (!g)
        fail_msg("%s\n%s", e.msg, text);
    return g;
}

/* "NAME=op ..." of the nodes of G.  */
static char *outline(const struct graph *g)
{
    struct str s = {0};

    for (int i = 0; i < g->n_node; i++)
        str_printf(&s, "%s%s=%s", i ? " " : "", g->node[i]->name,
                   g->node[i]->op->name);
    return str_take(&s);
}

static void expect(const char *text, const char *form, const char *want)
{
    struct graph *g = read(text, form);
    char *got = outline(g);

    assert_string_equal(got, want);
    free(got);
    graph_free(g);
}

#define NET(body) "input: {size: [4, 9, 8]}\nbody: [" body "]\n"
#define SAME      "conv: {as: a, out: 4, kernel: 3, pad: 1}"
#define WIDE      "conv: {as: a, out: 6, kernel: 3, stride: 2, pad: 1}"

static void branches(void **state)
{
    (void)state;
    expect(NET(SAME ", bn: {as: b}, relu"), "acb",
           "a.square=conv2d a.square_bn=batchnorm2d a.vertical=conv2d "
           "a.vertical_bn=batchnorm2d a.horizontal=conv2d "
           "a.horizontal_bn=batchnorm2d b=add relu=relu");
    expect(NET(WIDE ", relu"), "dbb",
           "a.square=conv2d a.square_bn=batchnorm2d a.point=conv2d "
           "a.point_bn=batchnorm2d a.squeeze=conv2d "
           "a.squeeze_bn=batchnorm2d a.squeezed=conv2d "
           "a.squeezed_bn=batchnorm2d a.smooth=conv2d "
           "a.smooth_bn=batchnorm2d a.average=avgpool2d "
           "a.average_bn=batchnorm2d a=add relu=relu");
    expect(NET("conv: {as: a, out: 4, kernel: 3, pad: 1, groups: 4}"), "dbb",
           "a.square=conv2d a.square_bn=batchnorm2d a.squeeze=conv2d "
           "a.squeeze_bn=batchnorm2d a.squeezed=conv2d "
           "a.squeezed_bn=batchnorm2d a.average=avgpool2d "
           "a.average_bn=batchnorm2d a=add");
    expect(NET(SAME ", bn: {as: b}"), "rep",
           "a.square=conv2d a.square_bn=batchnorm2d a.point=conv2d "
           "a.point_bn=batchnorm2d a.identity_bn=batchnorm2d b=add");
    expect(NET(WIDE), "rep",
           "a.square=conv2d a.square_bn=batchnorm2d a.point=conv2d "
           "a.point_bn=batchnorm2d a=add");
    expect(NET(SAME ", relu"), "plain", "a=conv2d relu=relu");
}

/* What no form stands for.  */
static void others_stay(void **state)
{
    static const char *const bodies[] = {
        "conv: {as: a, out: 4, kernel: 1}",
        "conv: {as: a, out: 4, kernel: 9, pad: 4}",
        "conv: {as: a, out: 4, kernel: [3, 1], pad: [1, 0]}",
        "conv: {as: a, out: 4, kernel: 3, pad: 2, dilation: 2}",
        "conv: {as: a, out: 4, kernel: 3, pad: [0, 0, 1, 1]}",
        "conv: {as: a, out: 4, kernel: 3, pad: 1, stride: [1, 2]}",
        "conv: {as: a, out: 4, kernel: 3, pad: 1}, "
        "conv: {as: b, out: 4, kernel: 3, pad: 1, weight: a.weight}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        char text[400];

        snprintf(text, sizeof text, NET("%s"), bodies[i]);
        for (size_t f = 0; f < COUNT(forms); f++)
            expect(text, forms[f],
                   i < COUNT(bodies) - 1 ? "a=conv2d" : "a=conv2d b=conv2d");
    }
}

/* Normalisation that is not the convolution's alone stays.  */
static void whose_bn(void **state)
{
    struct graph *g =
        read(NET(SAME ", bn: {as: b}, add: {from: [a, b], as: s}"), "rep");

    (void)state;
    assert_string_equal(graph_value(g, "a")->node->op->name, "add");
    assert_string_equal(graph_value(g, "b")->node->op->name, "batchnorm2d");
    assert_int_equal(graph_value(g, "a")->n_use, 2);
    graph_free(g);
    g = read(NET(SAME ", bn: {as: b, affine: no}"), "rep");
    assert_string_equal(graph_value(g, "b")->node->op->name, "batchnorm2d");
    graph_free(g);
    g = read(NET(SAME ", bn: {as: b, eps: 0.25, init: {weight: zeros}}"),
             "acb");
    assert_true(attr_real(graph_value(g, "a.square_bn")->node, "eps") == 0.25);
    assert_string_equal(graph_value(g, "a.vertical_bn.weight")->init, "zeros");
    graph_free(g);
}

static void unknown(void **state)
{
    static const char net[] = NET(SAME);
    const char *const opts[] = {"conv=abc", NULL};
    struct err e = {0};

    (void)state;
    assert_null(network_parse("t", net, strlen(net), NULL, opts, &e));
    assert_non_null(
        strstr(e.msg, "'conv' is none of plain, acb, dbb, rep: 'abc'"));
    e = (struct err){0};
    assert_null(network_read("resnet20", opts, &e));
    assert_int_equal(e.code, ERR_USAGE);
    assert_non_null(strstr(e.msg, "-o conv=abc: "));
}

/* ---- and back ---- */

static char *printed(struct graph *g)
{
    struct str s = {0};

    graph_print(&s, g);
    graph_free(g);
    return str_take(&s);
}

/* Reparam of TEXT's FORM computes the same, and is fuse-bn of the plain
 * network, name by name.  */
static void check_form(const char *text, const char *form)
{
    struct graph *g = read(text, form), *plain = read(text, "plain");
    struct err e = {0};
    char *got, *want;

    graph_random_fill(g, 3);
    graph_random_fill(plain, 3);
    pass_check_one(pass_reparam, g, 1);
    got = printed(pass_reparam(g, &e));
    want = printed(pass_fuse_bn(plain, &e));
    assert_string_equal(got, want);
    graph_free(g);
    graph_free(plain);
    free(got);
    free(want);
}

/* Odd sizes, strides, paddings from none to more than half, groups.  */
static void reparam(void **state)
{
    static const struct {
        int kernel, stride, pad, groups, out;
        const char *size;
    } cases[] = {
        {3, 1, 1, 1, 4, "4, 7, 5"},  {3, 2, 1, 1, 6, "4, 7, 6"},
        {3, 1, 0, 1, 4, "4, 5, 6"},  {3, 3, 2, 1, 3, "4, 6, 5"},
        {3, 1, 1, 4, 4, "4, 5, 5"},  {3, 2, 1, 4, 8, "4, 5, 4"},
        {3, 2, 0, 2, 6, "4, 7, 8"},  {3, 1, 1, 2, 4, "4, 3, 5"},
        {5, 1, 2, 1, 2, "2, 7, 9"},  {5, 2, 1, 2, 4, "4, 8, 7"},
        {5, 2, 2, 2, 2, "2, 5, 7"},  {5, 1, 0, 1, 3, "1, 9, 7"},
        {7, 2, 3, 1, 3, "3, 9, 8"},  {7, 1, 3, 2, 2, "2, 9, 7"},
        {7, 3, 1, 1, 2, "2, 11, 9"}, {7, 1, 5, 1, 2, "2, 6, 5"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t k = 0; k < 2 * COUNT(forms); k++) {
            char text[400];

            snprintf(text, sizeof text,
                     "input: {size: [%s]}\n"
                     "body:\n"
                     "- conv: {as: s.a, out: %d, kernel: %d, stride: %d, pad: "
                     "%d, groups: %d, bias: %s}\n"
                     "- %s\n- relu\n",
                     cases[i].size, cases[i].out, cases[i].kernel,
                     cases[i].stride, cases[i].pad, cases[i].groups,
                     k % 2 ? "yes" : "no",
                     k % 2 ? "identity" : "bn: {as: s.b}");
            check_form(text, forms[k / 2]);
        }
}

/* In scopes, around shortcuts.  */
static void residual(void **state)
{
    static const char net[] =
        "input: {size: [3, 9, 7]}\n"
        "body:\n"
        "- conv: {as: stem, out: 4, kernel: 3, pad: 1}\n"
        "- bn\n"
        "- relu\n"
        "- repeat: 2\n"
        "  as: b$i\n"
        "  do:\n"
        "  - add:\n"
        "    - do: [{conv: {as: 1, out: 4, kernel: 3, pad: 1}}, {bn: {as: 2}},"
        " relu, {conv: {as: 3, out: 4, kernel: 5, pad: 2}}, {bn: {as: 4}}]\n"
        "    - identity\n"
        "  - relu\n"
        "- global_avg_pool\n"
        "- linear: {out: 3}\n";

    (void)state;
    for (size_t f = 0; f < COUNT(forms); f++)
        check_form(net, forms[f]);
}

/* One step of training needs gradients of all branches.  */
static void trains(void **state)
{
    static const char net[] =
        NET(SAME ", bn, relu, conv: {as: b, out: 6, kernel: 5, stride: 2, pad: "
                 "2, groups: 2}, bn, global_avg_pool, linear: {out: 3}");

    (void)state;
    for (size_t f = 0; f < COUNT(forms); f++) {
        struct graph *g = read(net, forms[f]), *joined, *d;

        graph_random_fill(g, 3);
        joined = pass_check_join(g, NULL);
        d = pass_check_differentiate(joined);
        for (int i = 0; i < g->n_value; i++)
            if (g->value[i]->kind == VALUE_PARAM) {
                char name[100];

                snprintf(name, sizeof name, "d(%s)", g->value[i]->name);
                assert_non_null(graph_output_value(d, name));
            }
        graph_free(d);
        graph_free(joined);
        graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(branches), cmocka_unit_test(others_stay),
        cmocka_unit_test(whose_bn), cmocka_unit_test(unknown),
        cmocka_unit_test(reparam),  cmocka_unit_test(residual),
        cmocka_unit_test(trains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
