/* attr.c -- attributes from text and back.
 * SPDX-License-Identifier: MIT  */
#include "graph/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "graph/graph.h"
#include "op/ops.h"

/* What attr_print() makes of TEXT as KIND, or "error CODE".  */
static const char *again(char kind, const char *text)
{
    static char out[256];
    const struct op_attr d = {"x", kind, NULL, ""};
    struct arena a = {0};
    struct err e = {0};
    struct attr v;
    struct str s = {0};

    if (attr_parse(&v, &d, text, &a, &e) < 0)
        snprintf(out, sizeof out, "error %d", (int)e.code);
    else
        attr_print(&s, &d, &v);
    if (!e.code)
        snprintf(out, sizeof out, "%s", str_text(&s));
    str_release(&s);
    arena_release(&a);
    return out;
}

static void text_and_back(void **state)
{
    (void)state;
    assert_string_equal(again('i', "12"), "12");
    assert_string_equal(again('i', "-3"), "-3");
    assert_string_equal(again('f', "1e-4"), "0.0001");
    assert_string_equal(again('f', ".5"), "0.5");
    assert_string_equal(again('b', "yes"), "yes");
    assert_string_equal(again('b', "false"), "no");
    assert_string_equal(again('s', "no"), "no");
    assert_string_equal(again('v', "2"), "[2]");
    assert_string_equal(again('v', "[1, 2,3 , 4]"), "[1, 2, 3, 4]");
    assert_string_equal(again('v', "[]"), "[]");
}

static void rubbish(void **state)
{
    static const struct {
        char kind;
        const char *text;
    } bad[] = {
        {'i', ""},     {'i', "1.5"},   {'i', "x"},   {'i', "08"},
        {'f', "nan"},  {'f', "1e999"}, {'f', ""},    {'b', "1"},
        {'b', "Yes"},  {'v', "[1, 2"}, {'v', "1]"},  {'v', "[1,,2]"},
        {'v', "[1,]"}, {'v', "[1 2]"}, {'v', "[,]"}, {'v', "[ ]"},
        {'v', "[a]"},  {'v', "[1.5]"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_string_equal(again(bad[i].kind, bad[i].text), "error 2");
}

static void long_lists(void **state)
{
    struct str s = {0};

    (void)state;
    for (int i = 0; i < 4096; i++)
        str_add(&s, i ? ",7" : "7");
    assert_int_equal(strlen(again('v', str_text(&s))), 255);
    str_add(&s, ",7");
    assert_string_equal(again('v', str_text(&s)), "error 2");
    str_release(&s);
}

static struct node *conv(struct graph *g, const char *pad, const char *stride,
                         struct err *e)
{
    const struct shape s = {.rank = 4, .dim = {1, 2, 8, 8}, .batch = 1};
    struct value *x = graph_input(g, "image", DTYPE_F32, &s);

    return graph_add(g, op_find("conv2d"), "conv", &x, 1,
                     (struct attr_text[]){{"out", "3"},
                                          {"kernel", "3"},
                                          {"pad", pad},
                                          {"stride", stride},
                                          {0}},
                     e);
}

static void getters(void **state)
{
    struct graph *g = graph_new("g");
    struct err e = {0};
    struct node *n = conv(g, "[1, 2]", "2", &e);
    const int64_t *v;
    int count;

    (void)state;
    assert_non_null(n);
    assert_int_equal(attr_int(n, "out"), 3);
    assert_int_equal(attr_int(n, "bias"), 0);
    v = attr_ints(n, "pad", &count);
    assert_int_equal(count, 4);
    assert_int_equal(v[0], 1);
    assert_int_equal(v[1], 2);
    assert_int_equal(v[2], 1);
    assert_int_equal(v[3], 2);
    v = attr_ints(n, "stride", &count);
    assert_int_equal(count, 2);
    assert_int_equal(v[1], 2);
    attr_set_int(n, "bias", 1);
    assert_int_equal(attr_int(n, "bias"), 1);
    attr_set_ints(n, "pad", (int64_t[]){5, 6, 7, 8}, 4);
    assert_int_equal(attr_ints(n, "pad", NULL)[3], 8);
    assert_int_equal(attr_index(n->op, "groups") >= 0, 1);
    assert_int_equal(attr_index(n->op, "group"), -1);
    graph_free(g);
}

static void expand(void **state)
{
    static const char *const bad[] = {"[1, 1, 1]", "-1", "[]",
                                      "[1, 1, 1, 1, 1]"};

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct graph *g = graph_new("g");
        struct err e = {0};

        assert_null(conv(g, bad[i], "1", &e));
        assert_int_equal(e.code, ERR_USAGE);
        assert_non_null(strstr(e.msg, "pad"));
        graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_back), cmocka_unit_test(rubbish),
        cmocka_unit_test(long_lists),    cmocka_unit_test(getters),
        cmocka_unit_test(expand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
