/* parity.c -- tests of run/parity.h: differences that were put there are
 * found, with their size and place.
 * SPDX-License-Identifier: MIT  */
#include "run/parity.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../toy.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/thread.h"
#include "cpu/cpu.h"
#include "graph/graph.h"

static struct device *device;

static void put(struct graph *g, const char *name, int64_t i, float v)
{
    struct value *x = graph_value(g, name);
    struct err e = {0};
    struct tensor t;

    assert_int_equal(tensor_convert(&t, &x->data, DTYPE_F32, &e), 0);
    ((float *)t.data)[i] = v;
    value_set_data(x, &t);
    tensor_unref(&t);
}

static float get(const struct graph *g, const char *name, int64_t i)
{
    return ((const float *)graph_value(g, name)->data.data)[i];
}

static void compare(struct parity *r, const struct graph *a,
                    const struct graph *b, const struct parity_opts *o)
{
    struct err e = {0};

    if (parity_run(r, a, b, device, o, &e) < 0)
        fail_msg("%s", e.msg);
}

static void test_same(void **state)
{
    struct graph *g = toy_graph(NULL, 1), *copy = graph_copy(g);
    const struct parity_opts o = {.seed = 1, .tolerance = 1e-9};
    struct err e = {0};
    struct parity r;

    (void)state;
    compare(&r, g, copy, &o);
    assert_int_equal(r.samples, 16);
    assert_int_equal(r.classes, TOY_CLASSES);
    assert_true(r.max_abs == 0 && r.max_rel == 0);
    assert_int_equal(r.agree, 16);
    assert_int_equal(r.nonfinite, 0);
    assert_string_equal(r.node, "");
    assert_int_equal(parity_exact(&r, &e), 0);
    parity_release(&r);
    graph_free(g);
    graph_free(copy);
}

/* One bias of the last layer moved by 0.25: that much, in that class, there.
 */
static void test_one_class(void **state)
{
    struct graph *g = toy_graph(NULL, 1), *h = graph_copy(g);
    struct parity_opts o = {.samples = 13, .seed = 1, .tolerance = 1e-4};
    struct pool *pool = pool_new(2);
    struct err e = {0};
    struct parity r, s;

    (void)state;
    put(h, "fc.bias", 1, get(g, "fc.bias", 1) + 0.25f);
    compare(&r, g, h, &o);
    assert_int_equal(r.samples, 13);
    assert_true(fabs(r.max_abs - 0.25) < 1e-6);
    assert_true(r.class_abs[0] == 0 && r.class_abs[2] == 0);
    assert_true(r.class_abs[1] == r.max_abs);
    assert_true(r.max_rel > 0.01 && r.agree < 13);
    assert_string_equal(r.node, "fc");
    assert_true(r.node_rel > 0);
    assert_int_equal(parity_exact(&r, &e), -1);
    assert_int_equal(e.code, ERR_NO);
    o.pool = pool;
    o.tolerance = 0; /* not asked for */
    compare(&s, g, h, &o);
    assert_true(s.max_abs == r.max_abs && s.agree == r.agree);
    assert_string_equal(s.node, "");
    parity_release(&r);
    parity_release(&s);
    pool_free(pool);
    graph_free(g);
    graph_free(h);
}

static void test_first_node(void **state)
{
    struct graph *g = toy_graph(NULL, 1), *h = graph_copy(g);
    const struct parity_opts o = {.seed = 1, .tolerance = 1e-4};
    struct parity r;

    (void)state;
    put(h, "conv2.weight", 0, get(g, "conv2.weight", 0) + 3);
    compare(&r, g, h, &o);
    assert_string_equal(r.node, "conv2");
    parity_release(&r);
    graph_free(g);
    graph_free(h);
}

static void test_not_finite(void **state)
{
    struct graph *g = toy_graph(NULL, 1), *h = graph_copy(g);
    const struct parity_opts o = {.seed = 1, .tolerance = 1e-4};
    struct err e = {0};
    struct parity r;

    (void)state;
    put(h, "fc.bias", 0, NAN);
    compare(&r, g, h, &o);
    assert_int_equal(r.nonfinite, 16);
    assert_true(isinf(r.max_abs) && isinf(r.max_rel));
    assert_int_equal(parity_exact(&r, &e), -1);
    parity_release(&r);
    put(g, "fc.bias", 0, NAN); /* on both sides: equal, but no proof */
    compare(&r, g, h, &o);
    assert_int_equal(r.nonfinite, 0);
    assert_int_equal(r.neither, 16);
    e = (struct err){0};
    assert_int_equal(parity_exact(&r, &e), -1);
    assert_int_equal(e.code, ERR_NONFINITE);
    assert_non_null(strstr(e.msg, "16 of 48 outputs are not finite"));
    parity_release(&r);
    graph_free(g);
    graph_free(h);
}

struct source {
    int64_t next;
    int fails;
};

static int fill(void *ctx, int64_t from, int64_t n, float *image, struct err *e)
{
    struct source *s = ctx;

    assert_int_equal(from, s->next);
    s->next += n;
    if (s->fails)
        return err_set(e, ERR_INPUT, "no more");
    for (int64_t i = 0; i < n * TOY_SIDE * TOY_SIDE; i++)
        image[i] = 1;
    return 0;
}

static void test_fill(void **state)
{
    struct graph *g = toy_graph(NULL, 1);
    struct source src = {0};
    struct parity_opts o = {.samples = 19, .fill = fill, .ctx = &src};
    struct err e = {0};
    struct parity r;

    (void)state;
    compare(&r, g, g, &o);
    assert_int_equal(src.next, 19);
    assert_int_equal(r.agree, 19);
    parity_release(&r);
    src = (struct source){.fails = 1};
    assert_int_equal(parity_run(&r, g, g, device, &o, &e), -1);
    assert_int_equal(e.code, ERR_INPUT);
    parity_release(&r);
    graph_free(g);
}

static void refused(const char *text)
{
    struct graph *g = toy_graph(NULL, 1), *h = toy_graph(text, 1);
    const struct parity_opts o = {.seed = 1};
    struct err e = {0};
    struct parity r;

    assert_int_equal(parity_run(&r, g, h, device, &o, &e), -1);
    assert_int_equal(e.code, ERR_SHAPE);
    parity_release(&r);
    graph_free(g);
    graph_free(h);
}

static void test_shapes(void **state)
{
    (void)state;
    refused("network: i\ninput: {size: [1, 8, 9]}\n"
            "body: [flatten, {linear: {out: 3}}]\n");
    refused("network: o\ninput: {size: [1, 8, 8]}\n"
            "body: [flatten, {linear: {out: 4}}]\n");
    refused("network: r\ninput: {size: [1, 8, 8]}\n"
            "body: [{conv: {out: 3, kernel: 8}}]\n");
}

static int setup(void **state)
{
    (void)state;
    device = device_cpu_new(cpu_features());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    device_cpu_free(device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),       cmocka_unit_test(test_one_class),
        cmocka_unit_test(test_first_node), cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_fill),       cmocka_unit_test(test_shapes),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
