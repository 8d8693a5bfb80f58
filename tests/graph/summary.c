/* summary.c -- tests of graph/summary.h.
 * SPDX-License-Identifier: MIT  */
#include "graph/summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "format/network.h"
#include "graph/graph.h"
#include "op/ops.h"

static const char net[] =
    "input: {size: [2, 4, 4]}\n"
    "body:\n"
    "- {as: s, do: [conv: {as: a, out: 3, kernel: 3, bias: yes}, bn: {as: b}]}\n"
    "- add: [relu, conv: {as: c, out: 3, kernel: 1, weight: w}, conv: {as: d, "
    "out: 3, kernel: 1, weight: w}]\n"
    "- flatten\n"
    "- linear: {as: fc, out: 5}\n"
    "- linear: {as: aux, out: 7}\n"
    "outputs: {logits: fc, x: {from: aux, train: yes}}\n";

static const struct summary_row *row(const struct summary *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->row[i].name, name))
            return &s->row[i];
    fail_msg("no row '%s'", name);
    return NULL;
}

static void counts(void **state)
{
    struct err e = {0};
    struct graph *g = network_parse("t", net, strlen(net), NULL, NULL, &e);
    struct summary s;
    const struct summary_row *r;

    (void)state;
    if (!g)
        fail_msg("%s", e.msg);
    summary_init(&s, g, 0);
    assert_int_equal(s.n, 8); /* aux is not there */
    assert_int_equal(s.width, 3);
    r = row(&s, "s.a");
    assert_string_equal(r->op, "conv2d");
    assert_int_equal(r->params, 3 * 2 * 9 + 3);
    assert_int_equal(r->mac, 3 * 2 * 2 * 2 * 9);
    assert_int_equal(r->flop, 3 * 2 * 2 * (2 * 2 * 9 - 1 + 1));
    assert_int_equal(r->bytes, 4 * (32 + 57 + 12));
    r = row(&s, "s.b");
    assert_int_equal(r->params, 6);
    assert_int_equal(r->state, 6);
    assert_int_equal(r->bytes, 4 * (12 + 12 + 12));
    assert_int_equal(row(&s, "c")->params, 9);
    assert_int_equal(row(&s, "d")->params, 0); /* shared: counted once */
    assert_int_equal(row(&s, "flatten")->bytes, 0);
    assert_int_equal(s.total.params, 57 + 6 + 9 + 65);
    summary_release(&s);

    summary_init(&s, g, 1);
    r = row(&s, "s");
    assert_null(r->op);
    assert_int_equal(r->params, 63);
    assert_int_equal(r->shape.dim[1], 3);
    assert_int_equal(s.n, 7);
    summary_release(&s);
    graph_free(g);
}

/* A constant NAME of RANK 0 or 1, without data.  */
static struct value *constant(struct graph *g, const char *name, enum dtype dt,
                              int rank)
{
    const struct shape s = {.rank = rank, .dim = {5}};
    struct value *v = graph_tensor(g, name, VALUE_CONST, &s, NULL);

    v->dtype = dt;
    return v;
}

static void eight_bits(void **state)
{
    struct graph *g = graph_new("t");
    const struct shape image = {.rank = 2, .dim = {1, 5}, .batch = 1};
    struct value *x = graph_input(g, "image", DTYPE_U8, &image);
    struct value *zero = constant(g, "zero", DTYPE_U8, 0);
    struct value *two[] = {x,
                           constant(g, "scale", DTYPE_F32, 0),
                           zero,
                           constant(g, "w", DTYPE_I8, 1),
                           constant(g, "w_scale", DTYPE_F32, 0),
                           constant(g, "w_zero", DTYPE_I8, 0)};
    struct err e = {0};
    struct summary s;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct node *n = graph_add(g, op_find("dequantize"), i ? "b" : "a",
                                   two + 3 * i, 3, NULL, &e);
        if (!n)
            fail_msg("%s", e.msg);
        graph_output(g, n->name, n->out[0], 0);
    }
    summary_init(&s, g, 0);
    assert_int_equal(row(&s, "a")->params, 0); /* an activation */
    assert_int_equal(row(&s, "a")->state, 2);
    assert_int_equal(row(&s, "b")->params, 5);
    assert_int_equal(row(&s, "b")->state, 2);
    summary_release(&s);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts),
                                       cmocka_unit_test(eight_bits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
