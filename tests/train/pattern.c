/* pattern.c -- tests of train/pattern.h.
 * SPDX-License-Identifier: MIT  */
#include "train/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "format/network.h"
#include "graph/graph.h"
#include "train/recipe.h"

static const char net[] =
    "input: {size: [3, 8, 8]}\n"
    "body:\n"
    "- conv: {as: layer1.conv1, out: 4, kernel: 3, pad: 1, bias: yes}\n"
    "- bn: {as: layer1.bn1}\n"
    "- dropout: {as: drop}\n"
    "- flatten\n"
    "- linear: {as: fc, out: 2}\n"
    "outputs: {logits: fc}\n";

static struct graph *graph(void)
{
    struct err e = {0};
    struct graph *g = network_parse("t", net, strlen(net), NULL, NULL, &e);

    if (!g)
        fail_msg("%s", e.msg);
    return g;
}

static void near(void **state)
{
    static const struct {
        const char *pattern, *want;
        int ops;
    } t[] = {
        {"fc", "; did you mean 'fc*'?", 0},
        {"fc.wieght", "; did you mean 'fc.weight'?", 0},
        {"layr1.*", "; did you mean 'layer1*'?", 0},
        {"layer1.conv", "; did you mean 'layer1.conv1*'?", 0},
        {"layer?.bn9.bias", "; did you mean 'layer1.bn1.bias'?", 0},
        {"liner", "", 0},
        {"liner", "; did you mean 'linear'?", 1},
        {"con", "; did you mean 'conv'?", 1},
        {"*", "", 0},
        {"", "", 0},
        {"nothing.like.it", "", 1},
    };
    struct graph *g = graph();

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        char buf[PATTERN_NEAR];

        assert_string_equal(pattern_near(buf, t[i].pattern, g, t[i].ops),
                            t[i].want);
    }
    graph_free(g);
}

static int check(const char *freeze, struct err *e)
{
    struct graph *g = graph();
    struct recipe r;
    int rc;

    *e = (struct err){0};
    assert_int_equal(recipe_read(&r, NULL, (const char *[]){freeze, NULL}, e),
                     0);
    rc = pattern_check(&r, g, e);
    recipe_release(&r);
    graph_free(g);
    return rc;
}

/* Of a layer that only trains otherwise the node's name is enough.  */
static void freeze(void **state)
{
    struct err e;

    (void)state;
    assert_int_equal(check("model.freeze=[]", &e), 0);
    assert_int_equal(check("model.freeze=['layer1*', fc.bias]", &e), 0);
    assert_int_equal(check("model.freeze=[layer1.bn1, drop]", &e), 0);
    assert_int_equal(check("model.freeze=['layer1*', layer1.conv1]", &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    assert_string_equal(
        e.msg,
        "-o model.freeze:1:13: 'layer1.conv1' in model.freeze matches no "
        "parameter; did you mean 'layer1.conv1*'?");
    assert_int_equal(check("model.freeze=['layer2*']", &e), -1);
    assert_non_null(strstr(e.msg, "did you mean 'layer1*'?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(near),
                                       cmocka_unit_test(freeze)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
