/* initial.c -- tests of train/initial.h.
 * SPDX-License-Identifier: MIT  */
#include "train/initial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "format/network.h"
#include "format/yaml.h"
#include "graph/graph.h"
#include "tensor/stats.h"

/* Fans: a.weight 32 x 3 x 3 in, 64 x 3 x 3 out; g.weight by two groups. */
static const char net[] =
    "input: {size: [32, 8, 8]}\n"
    "body:\n"
    "- conv: {as: a, out: 64, kernel: 3, pad: 1, bias: yes}\n"
    "- bn: {as: b, init: {weight: zeros}}\n"
    "- conv: {as: g, out: 64, kernel: 3, pad: 1, groups: 2}\n"
    "- flatten\n"
    "- linear: {as: fc, out: 100}\n"
    "outputs: {logits: fc}\n";

static int try_fill(struct graph **g, uint64_t seed, const char *rules,
                    struct err *e)
{
    struct arena a = {0};
    const struct yaml *y =
        rules ? yaml_parse(&a, "r", rules, strlen(rules), e) : NULL;
    int rc;

    *g = network_parse("t", net, strlen(net), NULL, NULL, e);
    assert_non_null(*g);
    rc = initial_fill(*g, seed, y, e);
    arena_release(&a);
    return rc;
}

static struct graph *filled(uint64_t seed, const char *rules)
{
    struct err e = {0};
    struct graph *g;

    if (try_fill(&g, seed, rules, &e) < 0)
        fail_msg("%s", e.msg);
    return g;
}

static struct stats stats(const struct graph *g, const char *name)
{
    struct stats s;

    stats_of(&s, &graph_value(g, name)->data);
    return s;
}

static void constant(const struct graph *g, const char *name, double want)
{
    const struct stats s = stats(g, name);

    assert_true(s.min == want && s.max == want);
}

static void defaults(void **state)
{
    struct graph *g = filled(1, NULL);

    (void)state;
    constant(g, "a.bias", 0);
    constant(g, "fc.bias", 0);
    constant(g, "b.weight", 0); /* as the network says */
    constant(g, "b.bias", 0);
    constant(g, "b.running_mean", 0);
    constant(g, "b.running_var", 1);
    assert_true(fabs(stats(g, "a.weight").std / sqrt(2. / (64 * 9)) - 1) < .03);
    assert_true(fabs(stats(g, "g.weight").std / sqrt(2. / (32 * 9)) - 1) < .03);

    const struct stats s = stats(g, "fc.weight");
    const double a = sqrt(6. / (64 * 64 + 100));

    assert_true(s.max < a && s.max > .999 * a && s.min >= -a);
    assert_true(fabs(s.std / (a / sqrt(3)) - 1) < .01);
    graph_free(g);
}

/* A rule, the tensor, the standard deviation that must come.  */
static void kinds(void **state)
{
    static const struct {
        const char *rule, *name;
        double std, max;
    } t[] = {
        {"{conv: kaiming_in}", "a.weight", .0833333, 1},   /* sqrt(2/288) */
        {"{conv2d: kaiming_in}", "g.weight", .0833333, 1}, /* 32 x 9 */
        {"{conv: kaiming_uniform}", "a.weight", .0833333, .144338},
        {"{conv: xavier}", "a.weight", .0481125, .0833334}, /* 6/864 */
        {"{conv: xavier_normal}", "a.weight", .0481125, 1},
        {"{conv: lecun}", "a.weight", .0589256, .102063}, /* 3/288 */
        {"{linear: normal 0.02}", "fc.weight", .02, 1},
        {"{linear: uniform 0.3}", "fc.weight", .173205, .3},
        {"{linear: trunc_normal 0.1}", "fc.weight", .0879626, .2},
        {"{\"*c.weight\": normal 2}", "fc.weight", 2, 100},
        {"{linear: normal 1, fc.weight: normal 3}", "fc.weight", 3, 100},
        {"{fc.weight: normal 3, linear: normal 1}", "fc.weight", 3, 100},
        {"{\"*.weight\": normal 3, fc.weight: normal 1}", "fc.weight", 1, 100},
        {"{fc.weight: normal 3, conv: fan}", "a.weight", .0589256, 1},
        {"{a.bias: constant 0.5}", "a.bias", 0, .5},
        {"{\"*.bias\": ones}", "b.bias", 0, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        struct graph *g = filled(7, t[i].rule);
        const struct stats s = stats(g, t[i].name);

        if (fabs(s.std - t[i].std) > .03 * t[i].std || s.max > t[i].max)
            fail_msg("%s: %g, at most %g", t[i].rule, s.std, s.max);
        graph_free(g);
    }
}

/* A matrix, and a 1x1 convolution in groups, that pass their input on.  */
static void identity(void **state)
{
    static const char text[] =
        "input: {size: [4, 2, 2]}\n"
        "body:\n"
        "- conv: {as: g, out: 4, kernel: 1, groups: 2, init: {weight: "
        "identity}}\n"
        "- flatten\n"
        "- linear: {as: fc, out: 5, init: {weight: identity}}\n";
    struct err e = {0};
    struct graph *g = network_parse("t", text, strlen(text), NULL, NULL, &e);
    const float *w;

    (void)state;
    assert_non_null(g);
    assert_int_equal(initial_fill(g, 1, NULL, &e), 0);
    w = graph_value(g, "g.weight")->data.data;
    for (int k = 0; k < 4; k++)
        for (int c = 0; c < 2; c++)
            assert_true(w[2 * k + c] == (c == k % 2));
    w = graph_value(g, "fc.weight")->data.data;
    for (int k = 0; k < 5; k++)
        for (int c = 0; c < 16; c++)
            assert_true(w[16 * k + c] == (c == k));
    graph_free(g);
}

static void streams(void **state)
{
    struct graph *g = filled(1, NULL), *h = filled(1, "{a.weight: zeros}"),
                 *k = filled(2, NULL);
    const struct tensor *x = &graph_value(g, "fc.weight")->data,
                        *y = &graph_value(h, "fc.weight")->data,
                        *z = &graph_value(k, "fc.weight")->data;

    (void)state;
    assert_memory_equal(x->data, y->data, tensor_bytes(x));
    assert_memory_not_equal(x->data, z->data, tensor_bytes(x));
    graph_free(g);
    graph_free(h);
    graph_free(k);
}

static void keeps_what_is_there(void **state)
{
    struct graph *g = filled(1, NULL);
    struct err e = {0};
    float *p = graph_value(g, "a.bias")->data.data;

    (void)state;
    p[3] = 5;
    assert_int_equal(initial_fill(g, 2, NULL, &e), 0);
    assert_true(p[3] == 5 && p == graph_value(g, "a.bias")->data.data);
    graph_free(g);
}

static void refuses(void **state)
{
    static const struct {
        const char *rules, *want;
    } t[] = {
        {"{conf: kaiming}", "r:1:2: 'conf' is no op and matches no tensor's "
                            "name; did you mean 'conv'?"},
        {"{layernorm: zeros}", "no layer 'layernorm' here has a weight"},
        {"{\"a.wieght\": zeros}", "did you mean 'a.weight'?"},
        {"{\"*.wieght\": zeros}", "matches no tensor's name"},
        {"{conv: kaming}", "no initialiser is called 'kaming'; did you mean "
                           "'kaiming'?"},
        {"{conv: normal}", "'normal' takes one number"},
        {"{conv: normal x}", "takes one number"},
        {"{conv: zeros 1}", "'zeros' takes no number"},
        {"{conv: [zeros]}", "an initialiser is wanted"},
        {"[zeros]", "a mapping of initialisers"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(t); i++) {
        struct err e = {0};
        struct graph *g;

        assert_int_equal(try_fill(&g, 1, t[i].rules, &e), -1);
        if (!strstr(e.msg, t[i].want) || e.code != ERR_USAGE)
            fail_msg("'%s' is not in '%s'", t[i].want, e.msg);
        graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(kinds),
        cmocka_unit_test(identity),
        cmocka_unit_test(streams),
        cmocka_unit_test(keeps_what_is_there),
        cmocka_unit_test(refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
