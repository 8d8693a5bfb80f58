/* edit.c -- changing graphs.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "../graph_random.h"
#include "../interp.h"
#include "base/err.h"
#include "base/str.h"
#include "graph/graph.h"
#include "op/ops.h"

static struct value *image(struct graph *g)
{
    const struct shape s = {.rank = 4, .dim = {1, 2, 4, 4}, .batch = 1};

    return graph_input(g, "image", DTYPE_F32, &s);
}

static struct node *add(struct graph *g, const char *op, const char *name,
                        struct value *x)
{
    struct err e = {0};
    struct node *n = graph_add(g, op_find(op), name, &x, 1, NULL, &e);

    if (!n)
        fail_msg("%s", e.msg);
    return n;
}

static void check(const struct graph *g)
{
    struct err e = {0};

    if (graph_check(g, &e) < 0)
        fail_msg("%s", e.msg);
}

static void replace_and_remove(void **state)
{
    struct graph *g = graph_new("net");
    struct value *x = image(g);
    struct node *a = add(g, "relu", "a", x), *b = add(g, "relu6", "b", x);
    struct node *c = add(g, "relu", "c", a->out[0]);
    struct value *in[] = {a->out[0], a->out[0], c->out[0]};
    struct err e = {0};
    struct node *s = graph_add(g, op_find("add"), "s", in, 3, NULL, &e);

    (void)state;
    graph_output(g, "logits", s->out[0], 0);
    graph_output(g, "features", a->out[0], 0);
    graph_replace(g, a->out[0], a->out[0]); /* nothing */
    graph_replace(g, a->out[0], b->out[0]);
    assert_int_equal(a->out[0]->n_use, 0);
    assert_int_equal(b->out[0]->n_use, 3);
    assert_ptr_equal(s->in[0], b->out[0]);
    assert_ptr_equal(graph_output_value(g, "features"), b->out[0]);
    check(g);
    graph_remove(g, a);
    assert_null(graph_value(g, "a"));
    assert_int_equal(g->n_node, 3);
    assert_int_equal(x->n_use, 1);
    check(g);
    node_set_in(s, 1, x);
    assert_int_equal(x->n_use, 2);
    assert_int_equal(b->out[0]->n_use, 2);
    check(g);
    graph_free(g);
}

static void move(void **state)
{
    struct graph *g = graph_new("net");
    struct value *x = image(g);
    struct node *a = add(g, "relu", "a", x), *b = add(g, "relu6", "b", x);
    struct node *c = add(g, "tanh", "c", x), *d = add(g, "relu", "d", x);

    (void)state;
    graph_move(g, 2, 1);
    assert_ptr_equal(g->node[0], a);
    assert_ptr_equal(g->node[1], c);
    assert_ptr_equal(g->node[2], d);
    assert_ptr_equal(g->node[3], b);
    assert_int_equal(b->index, 3);
    check(g);
    graph_move(g, 4, 0); /* nothing */
    graph_move(g, 3, 3);
    assert_ptr_equal(g->node[3], b);
    check(g);
    graph_free(g);
}

static void prune(void **state)
{
    struct graph *g = graph_new("net");
    struct value *x = image(g);
    struct node *a = add(g, "batchnorm2d", "a", x);
    struct node *b = add(g, "batchnorm2d", "b", a->out[0]);
    struct err e = {0};

    (void)state;
    graph_output(g, "logits", a->out[0], 0);
    graph_prune(g);
    assert_null(graph_value(g, "b"));
    assert_null(graph_value(g, "b.weight"));
    assert_non_null(graph_value(g, "a.weight"));
    check(g);
    b = add(g, "batchnorm2d", "b", a->out[0]);
    assert_non_null(graph_add_update(g, b, &e));
    graph_prune(g); /* an update keeps what it reads */
    assert_non_null(graph_value(g, "b"));
    check(g);
    graph_free(g);
}

static void rename_values(void **state)
{
    struct graph *g = graph_new("net");
    struct node *a = add(g, "batchnorm2d", "a", image(g));

    (void)state;
    graph_output(g, "logits", a->out[0], 0);
    value_rename(g, a->out[0], "z");
    assert_string_equal(a->name, "z");
    assert_string_equal(a->out[1]->name, "z/1");
    assert_ptr_equal(graph_value(g, "z/2"), a->out[2]);
    assert_null(graph_value(g, "a"));
    assert_null(graph_value(g, "a/1"));
    assert_non_null(graph_value(g, "a.weight"));
    value_rename(g, a->out[0], "z");
    check(g);
    graph_free(g);
}

/* Turn a graph's nodes around and sort: each stands behind what it reads,
 * and sorting what is sorted changes nothing.  */
static void sort(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct graph *g = graph_random(seed, 5);
        struct str a = {0}, b = {0};

        interp_dump(&a, g);
        graph_sort(g);
        interp_dump(&b, g);
        assert_string_equal(str_text(&a), str_text(&b));
        for (int i = 0; i < g->n_node / 2; i++) {
            struct node *n = g->node[i];

            g->node[i] = g->node[g->n_node - 1 - i];
            g->node[g->n_node - 1 - i] = n;
        }
        graph_sort(g);
        check(g);
        graph_free(g);
        str_release(&a);
        str_release(&b);
    }
}

static void updates_last(void **state)
{
    struct graph *g = graph_new("net");
    struct node *a = add(g, "batchnorm2d", "a", image(g)), *b;
    struct err e = {0};

    (void)state;
    assert_non_null(graph_add_update(g, a, &e));
    b = add(g, "relu", "b", a->out[0]);
    b = add(g, "relu", "c", b->out[0]);
    graph_output(g, "logits", b->out[0], 0);
    graph_sort(g);
    assert_int_equal(g->node[3]->dir, DIR_UPDATE);
    assert_ptr_equal(g->node[2], b);
    check(g);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replace_and_remove),
        cmocka_unit_test(move),
        cmocka_unit_test(prune),
        cmocka_unit_test(rename_values),
        cmocka_unit_test(sort),
        cmocka_unit_test(updates_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
