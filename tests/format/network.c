/* network.c -- tests of format/network.h: the language of network files.
 * SPDX-License-Identifier: MIT  */
#include "format/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../network_text.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/model.h"
#include "graph/graph.h"
#include "graph/print.h"

/* The flat form of the body without attributes: "NAME = op(operands)".  */
static char *outline(const struct graph *g)
{
    struct str s = {0};

    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = g->node[i];

        str_printf(&s, "%s=%s(", n->name, n->op->name);
        for (int k = 0, some = 0; k < n->n_in; k++)
            if (n->in[k])
                str_printf(&s, "%s%s", some++ ? " " : "", n->in[k]->name);
        str_add(&s, ") ");
    }
    return str_take(&s);
}

/* A network that uses TEXT, a library beside it.  */
static struct graph *use(const char *library, const char *text, struct err *e)
{
    char dir[] = "/tmp/adze-use-XXXXXX";
    struct arena a = {0};
    struct graph *g;

    assert_non_null(mkdtemp(dir));
    const char *path = arena_printf(&a, "%s/mine.yaml", dir);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(library, f) >= 0 && fclose(f) == 0);
    g = network_parse("t", text, strlen(text), arena_printf(&a, "%s/", dir),
                      NULL, e);
    remove(path);
    rmdir(dir);
    arena_release(&a);
    return g;
}

static void expect(const char *text, const char *want)
{
    struct graph *g = network_text(text);
    char *got = outline(g);

    assert_string_equal(got, want);
    free(got);
    graph_free(g);
}

static void names(void **state)
{
    (void)state;
    expect("body: [relu, relu, {do: [relu, relu], as: a}, relu]\n" IN,
           "relu=relu(image) relu_2=relu(relu) a.relu=relu(relu_2) "
           "a.relu_2=relu(a.relu) relu_3=relu(a.relu_2) ");
    expect("body:\n- do: [{do: [relu: {as: b}], as: a.c}]\n  as: d\n" IN,
           "d.a.c.b=relu(image) ");
    expect("body: [relu: {as: relu_2}, relu, relu]\n" IN,
           "relu_2=relu(image) relu=relu(relu_2) relu_3=relu(relu) ");
}

static void values(void **state)
{
    (void)state;
    expect("body: [relu: {as: a}, relu: {as: b}, relu: {from: a}]\n" IN,
           "a=relu(image) b=relu(a) relu=relu(a) ");
    expect("body: [{as: s, do: [relu, relu]}, relu6, relu: {from: s}]\n" IN,
           "s.relu=relu(image) s.relu_2=relu(s.relu) relu6=relu6(s.relu_2) "
           "relu=relu(s.relu_2) ");
    expect("body: [relu, add: [identity, relu6, do: []]]\n" IN,
           "relu=relu(image) relu6=relu6(relu) add=add(relu relu6 relu) ");
    expect("body: [relu, add: {as: x, from: [relu, image]}]\n" IN,
           "relu=relu(image) x=add(relu image) ");
    expect("body: [add: {of: [relu, identity], as: x}]\n" IN,
           "x.relu=relu(image) x=add(x.relu image) ");
    /* the nearest scope that has the name */
    expect("body:\n- relu: {as: a}\n- as: s\n  do: [relu: {as: a}, relu6, "
           "relu: {from: a}]\n- relu: {from: a}\n" IN,
           "a=relu(image) s.a=relu(a) s.relu6=relu6(s.a) s.relu=relu(s.a) "
           "relu=relu(a) ");
}

static void conditions(void **state)
{
    (void)state;
    expect("body: [relu: {when: no}, relu6: {when: $in == 3}]\n" IN,
           "relu6=relu6(image) ");
    expect("body: [relu: {when: no, else: relu6}]\n" IN, "relu6=relu6(image) ");
    expect("body: [{do: [relu], when: $in > 3, else: {relu6: {as: x}}}]\n" IN,
           "x=relu6(image) ");
}

static void loops(void **state)
{
    (void)state;
    expect(
        "body: [{repeat: 2, as: l$i, do: [relu]}, {repeat: 0, do: relu}]\n" IN,
        "l0.relu=relu(image) l1.relu=relu(l0.relu) ");
    expect("with: {d: [1, 2]}\n"
           "body:\n"
           "- each: {depth: $d, op: [relu, relu6]}\n"
           "  as: s$n\n"
           "  do:\n"
           "  - repeat: $depth\n"
           "    do: [$op: {as: x$i.$k}]\n" IN,
           "s1.x0.0=relu(image) s2.x0.1=relu6(s1.x0.0) "
           "s2.x1.2=relu6(s2.x0.1) ");
}

static void branches(void **state)
{
    (void)state;
    expect(
        "body:\n- add:\n  - relu\n  - branches: 3\n    as: b$i\n"
        "    do: [relu6, relu: {as: x$i}]\n  - {branches: $in < 3, do: tanh}\n"
        "  - {branches: 1, when: no, do: tanh}\n  - identity\n" IN,
        "relu=relu(image) b0.relu6=relu6(image) b0.x0=relu(b0.relu6) "
        "b1.relu6=relu6(image) b1.x1=relu(b1.relu6) b2.relu6=relu6(image) "
        "b2.x2=relu(b2.relu6) add=add(relu b0.x0 b1.x1 b2.x2 image) ");
    /* one operand, and a value of its own to begin with */
    expect("body: [relu, relu6, add: [{branches: $in == 3, from: relu, do: "
           "tanh}]]\n" IN,
           "relu=relu(image) relu6=relu6(relu) tanh=tanh(relu) "
           "add=add(tanh) ");
    expect("body: [add: [{branches: 20, do: relu}, {branches: 2, do: [add: "
           "[relu, {branches: 1, do: relu6}]]}]]\n" IN,
           "relu=relu(image) relu_2=relu(image) relu_3=relu(image) "
           "relu_4=relu(image) relu_5=relu(image) relu_6=relu(image) "
           "relu_7=relu(image) relu_8=relu(image) relu_9=relu(image) "
           "relu_10=relu(image) relu_11=relu(image) relu_12=relu(image) "
           "relu_13=relu(image) relu_14=relu(image) relu_15=relu(image) "
           "relu_16=relu(image) relu_17=relu(image) relu_18=relu(image) "
           "relu_19=relu(image) relu_20=relu(image) relu_21=relu(image) "
           "relu6=relu6(image) add=add(relu_21 relu6) relu_22=relu(image) "
           "relu6_2=relu6(image) add_2=add(relu_22 relu6_2) "
           "add_3=add(relu relu_2 relu_3 relu_4 relu_5 relu_6 relu_7 relu_8 "
           "relu_9 relu_10 relu_11 relu_12 relu_13 relu_14 relu_15 relu_16 "
           "relu_17 relu_18 relu_19 relu_20 add add_2) ");
}

static void blocks(void **state)
{
    (void)state;
    expect("with: {c: 4}\n"
           "blocks:\n"
           "  cb:\n"
           "    with: {out, k: 1, pad: $k // 2, half: $in // 2}\n"
           "    do:\n"
           "    - conv: {as: conv, out: $out + $half + $c, kernel: $k, pad: "
           "$pad}\n"
           "  two:\n"
           "    do: [cb: {as: 1, out: 2}, cb: {as: 2, out: $in, k: 3}]\n"
           "body: [two: {as: b}, cb: {out: 1, half: 0}]\n" IN,
           "b.1.conv=conv2d(image b.1.conv.weight) "
           "b.2.conv=conv2d(b.1.conv b.2.conv.weight) "
           "conv=conv2d(b.2.conv conv.weight) ");
}

static void parameters(void **state)
{
    (void)state;
    expect("body:\n- {as: s, do: [conv: {as: c, out: 3, kernel: 1, weight: "
           "a.w, bias: b}]}\n- conv: {out: 3, kernel: 1, weight: s.a.w}\n" IN,
           "s.c=conv2d(image s.a.w s.b) conv=conv2d(s.c s.a.w) ");
    expect(
        "body: [conv: {as: c, out: 3, kernel: 1, bias: no}, add: "
        "[identity, param: {as: p, shape: [1, $in, 8, 8], init: zeros}]]\n" IN,
        "c=conv2d(image c.weight) add=add(c p) ");

    struct graph *g =
        network_text("body: [bn: {as: a, init: {weight: zeros if $in "
                     "== 3 else ones}}, param: {as: p, shape: [], "
                     "init: normal}, state: {as: q, shape: [0]}, "
                     "const: {as: r, shape: [2, 3], dtype: i8}]\n"
                     "outputs: {logits: a}\n" IN);

    assert_string_equal(graph_value(g, "a.weight")->init, "zeros");
    assert_string_equal(graph_value(g, "a.bias")->init, "zeros");
    assert_string_equal(graph_value(g, "a.running_var")->init, "ones");
    assert_string_equal(graph_value(g, "p")->init, "normal");
    assert_int_equal(graph_value(g, "p")->kind, VALUE_PARAM);
    assert_int_equal(graph_value(g, "q")->kind, VALUE_STATE);
    assert_int_equal(graph_value(g, "r")->kind, VALUE_CONST);
    assert_int_equal(graph_value(g, "r")->dtype, DTYPE_I8);
    graph_free(g);
}

static void outputs(void **state)
{
    (void)state;
    struct graph *g = network_text(
        "network: n\nbody: [{as: a, do: [relu, relu6]}, relu]\n"
        "outputs: {logits: relu, aux1: {from: a.relu, train: yes}, f: "
        "a}\n" IN);

    assert_string_equal(g->name, "n");
    assert_int_equal(g->n_output, 3);
    assert_string_equal(g->output[0].value->name, "relu");
    assert_string_equal(g->output[1].name, "aux1");
    assert_int_equal(g->output[1].train, 1);
    assert_string_equal(g->output[2].value->name, "a.relu6");
    assert_true(g->output[1].loss == 0);
    graph_free(g);
    g = network_text(
        "with: {aux: 0.25, no_: no}\nbody: [{as: a, do: [relu]}]\n"
        "outputs: {logits: a, h: {from: a, loss: 2 * $aux, train: "
        "$aux < 1}, i: {from: there is none, when: $no_}, j: {from: a, "
        "loss: 0, train: no}}\n" IN);
    assert_int_equal(g->n_output, 3);
    assert_true(g->output[1].loss == 0.5 && g->output[1].train == 1);
    assert_string_equal(g->output[2].name, "j");
    assert_true(g->output[2].loss == 0 && g->output[2].train == 0);
    graph_free(g);
    g = network_text(
        "body: [relu]\ninput: {a: {shape: [N, 2]}, b: {shape: [4N, 3, "
        "5], dtype: i64}}\n");
    assert_string_equal(g->output[0].name, "logits");
    assert_int_equal(g->value[1]->dtype, DTYPE_I64);
    assert_int_equal(g->value[1]->shape.batch, 1);
    assert_int_equal(g->value[1]->shape.dim[0], 4);
    graph_free(g);
}

static void options(void **state)
{
    (void)state;
    static const struct {
        const char *opt, *want;
        enum err_code code;
    } t[] = {
        {"clases=10", "no parameter 'clases'; did you mean 'classes'?",
         ERR_USAGE},
        {"classes", "'classes' is not KEY=VALUE", ERR_USAGE},
        {"depths=[2,2", "-o depths=[2,2:", ERR_USAGE},
        {"depths={a: 1}", "a value or list is wanted", ERR_USAGE},
        {"depths=&a [1]", "anchors", ERR_USAGE},
        {"classes=", "-o classes= gives no value", ERR_USAGE},
        {"classes=-1", "out", ERR_USAGE},
    };
    struct err e = {0};
    struct graph *g;

    for (size_t i = 0; i < COUNT(t); i++) {
        const char *const opts[] = {t[i].opt, NULL};

        e = (struct err){0};
        assert_null(network_read("resnet20", opts, &e));
        if (e.code != t[i].code || !strstr(e.msg, t[i].want))
            fail_msg("'%s' is not in '%s' (%d)", t[i].want, e.msg, e.code);
    }
    e = (struct err){0};
    g = network_read("resnet20",
                     (const char *const[]){"classes=3", "classes=7", NULL}, &e);
    assert_non_null(g);
    assert_int_equal(g->output[0].value->shape.dim[1], 7);
    graph_free(g);
    /* a count that no memory holds is still a graph; only tensors fail */
    g = network_read("resnet20",
                     (const char *const[]){"classes=1000000000", NULL}, &e);
    assert_non_null(g);
    graph_free(g);
    e = (struct err){0};
    assert_null(
        network_read("resnet18", (const char *const[]){"block=foo", NULL}, &e));
    assert_non_null(strstr(e.msg, "built-in network 'resnet18' (base resnet): "
                                  "resnet.yaml:"));
    e = (struct err){0};
    assert_null(
        network_read("lenet5", (const char *const[]){"clases=1", NULL}, &e));
    assert_string_equal(e.msg, "built-in network 'lenet5': the network has no "
                               "parameter 'clases'; did you mean 'classes'?");
    e = (struct err){0};
    assert_null(network_read("resnet19", NULL, &e));
    assert_int_equal(e.code, ERR_USAGE);
    assert_non_null(strstr(e.msg, "did you mean 'resnet18'?"));
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void files_and_bases(void **state)
{
    (void)state;
    char dir[] = "/tmp/adze-network-XXXXXX", path[64], other[64];
    struct err e = {0};
    struct preprocess p;
    struct network *n;
    struct graph *g;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/mine.yaml", dir);
    snprintf(other, sizeof other, "%s/other.yaml", dir);
    write_file(path,
               "base: resnet.yaml\nwith: {depths: [1, 1, 1, 1]}\n"
               "paper: By Somebody, 2020\ntop1: 71.5\n"
               "preprocess: {mean: [0.25, 0.5, 1], interpolation: bicubic}\n"
               "blocks: {stem_plain: {do: [conv: {out: 4, kernel: 8, "
               "stride: 8}]}}\n");
    n = network_open(path, &e);
    g = n ? network_graph(n, NULL, &e) : NULL;
    if (!g)
        fail_msg("%s", e.msg);
    assert_string_equal(g->name, "mine");
    assert_string_equal(g->node[1]->name, "layer1.0.conv1");
    graph_free(g);
    memset(&p, 0, sizeof p);
    assert_int_equal(network_preprocess(n, &p, &e), 0);
    assert_string_equal(network_about(n, "paper"), "By Somebody, 2020");
    assert_string_equal(network_about(n, "top1"), "71.5");
    assert_null(network_about(n, "weights"));
    assert_true(p.mean[1] == 0.5 && p.interpolation == RESIZE_BICUBIC);
    network_close(n);

    write_file(other, "base: mine.yaml\nwith: {classes: 5}\nnetwork: x\n");
    g = network_read(other, NULL, &e);
    assert_non_null(g);
    assert_string_equal(g->name, "x");
    assert_int_equal(g->output[0].value->shape.dim[1], 5);
    graph_free(g);

    write_file(path, "base: other.yaml\n"); /* based on each other: F-029 */
    assert_null(network_read(other, NULL, &e));
    assert_non_null(strstr(e.msg, "more than 8 files"));
    unlink(path);
    unlink(other);
    e = (struct err){0};
    assert_null(network_read(path, NULL, &e));
    assert_int_equal(e.code, ERR_INPUT);
    e = (struct err){0};
    snprintf(path, sizeof path, "%s/", dir);
    assert_null(network_read(path, NULL, &e)); /* a folder: F-028 */
    assert_int_equal(e.code, ERR_INPUT);
    rmdir(dir);
}

/* A flat form of some MiB is read in about linear time.  */
static void long_flat_form(void **state)
{
    (void)state;
    struct str s = {0};
    struct err e = {0};
    struct graph *g;

    str_add(&s, IN "body:\n  - relu: {as: n0, from: image}\n");
    for (int i = 1; i < 20000; i++)
        str_printf(&s, "  - relu: {as: n%d, from: n%d}\n", i, i - 1);
    g = network_parse("t", str_text(&s), s.len, NULL, NULL, &e);
    assert_non_null(g);
    assert_int_equal(g->n_node, 20000);
    graph_free(g);
    str_release(&s);
}

/* ---- libraries of blocks ---- */

static void libraries(void **state)
{
    static const char mine[] = "blocks:\n"
                               "  twice: {do: [relu, relu]}\n"
                               "  se: {do: relu}\n";
    struct err e = {0};
    struct graph *g;

    (void)state;
    expect(IN "use: attention\nbody: [ese]\n",
           "global_avg_pool=globalavgpool(image) "
           "reshape=reshape(global_avg_pool) "
           "fc=conv2d(reshape fc.weight fc.bias) hardsigmoid=hardsigmoid(fc) "
           "mul=mul(image hardsigmoid) ");
    expect("use: attention\n" IN "blocks: {mine: {do: [relu]}}\n"
           "body: [attention/mine, attention/identity]\n",
           "relu=relu(image) ");
    expect("use: [attention]\n" IN "blocks: {se: {do: [relu]}}\nbody: [se]\n",
           "relu=relu(image) ");
    expect("use: fusion\n" IN
           "body: [global_avg_pool: {as: a}, flatten: {as: b, from: image}, "
           "dcafuse: {as: f, first: a, second: b, to: 4, how: concat}]\n",
           "a=globalavgpool(image) b=flatten(image) "
           "f.first=linear(a f.first.weight f.first.bias) "
           "f.second=linear(b f.second.weight f.second.bias) "
           "f.concat=concat(f.first f.second) ");
    g = use(mine, IN "use: [mine.yaml, attention]\nbody: [twice, se]\n", &e);
    assert_non_null(g);
    assert_int_equal(g->n_node, 3);
    graph_free(g);
}

static void wrong_libraries(void **state)
{
    static const struct {
        const char *library, *use, *part;
    } t[] = {
        {"", "atention", "did you mean 'attention'? (a file is written"},
        {"", "[[attention]]", "'use' is a list of libraries"},
        {"", "other.yaml", "other.yaml'"},
        {"body: [relu]", "mine.yaml", "a library of blocks has no key 'body'"},
        {"relu", "mine.yaml", "a library of blocks is a mapping"},
        {"blocks: [relu]", "mine.yaml", "'blocks' is a mapping"},
        {"blocks: {relu: {do: relu}}", "mine.yaml", "has the name of an op"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        struct arena a = {0};
        struct err e = {0};

        assert_null(
            use(t[i].library,
                arena_printf(&a, IN "use: %s\nbody: [relu]\n", t[i].use), &e));
        if (!strstr(e.msg, t[i].part))
            fail_msg("'%s' is not in: %s", t[i].part, e.msg);
        arena_release(&a);
    }
}

/* Each block of the built-in libraries leaves the shape.  */
static void attention(void **state)
{
    static const char *const steps[] = {"se",
                                        "ese",
                                        "eca",
                                        "spatial",
                                        "spatial_transformer",
                                        "cbam",
                                        "sk",
                                        "ge",
                                        "ge: {extent: 2}",
                                        "ge: {extent: 4, to: 0}",
                                        "coord",
                                        "se: {to: 2}",
                                        "sk: {out: 3, groups: 3, to: 8}"};

    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        struct arena a = {0};
        struct graph *g = network_text(
            arena_printf(&a, IN "use: attention\nbody: [%s]\n", steps[i]));

        assert_string_equal(ST(&g->output[0].value->shape), "[N,3,8,8]");
        graph_free(g);
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libraries),       cmocka_unit_test(wrong_libraries),
        cmocka_unit_test(attention),       cmocka_unit_test(names),
        cmocka_unit_test(values),          cmocka_unit_test(conditions),
        cmocka_unit_test(loops),           cmocka_unit_test(branches),
        cmocka_unit_test(blocks),          cmocka_unit_test(parameters),
        cmocka_unit_test(outputs),         cmocka_unit_test(options),
        cmocka_unit_test(files_and_bases), cmocka_unit_test(long_flat_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
