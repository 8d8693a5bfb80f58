/* check.c -- each invariant of a graph, broken in turn.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../graph_random.h"
#include "base/err.h"
#include "graph/graph.h"
#include "op/ops.h"

/* image -> conv -> relu -> add(relu, conv).  */
static struct graph *make(void)
{
    const struct shape s = {.rank = 4, .dim = {1, 2, 4, 4}, .batch = 1};
    struct graph *g = graph_new("net");
    struct value *x = graph_input(g, "image", DTYPE_F32, &s);
    struct err e = {0};
    struct node *c =
        graph_add(g, op_find("conv2d"), "conv", &x, 1,
                  (struct attr_text[]){{"out", "3"}, {"kernel", "3"}, {0}}, &e);
    struct node *r =
        graph_add(g, op_find("relu"), "relu", &c->out[0], 1, NULL, &e);
    struct value *in[] = {r->out[0], c->out[0]};
    struct node *a = graph_add(g, op_find("add"), "add", in, 2, NULL, &e);

    graph_output(g, "logits", a->out[0], 0);
    graph_random_fill(g, 1);
    return g;
}

static void swap_nodes(struct graph *g)
{
    struct node *n = g->node[0];

    g->node[0] = g->node[1];
    g->node[1] = n;
    g->node[0]->index = 0;
    g->node[1]->index = 1;
}

static void wrong_index(struct graph *g)
{
    g->node[1]->index = 2;
}

static void lost_operand(struct graph *g)
{
    node_set_in(g->node[1], 0, NULL);
}

static void lost_use(struct graph *g)
{
    graph_value(g, "conv")->n_use--;
}

static void extra_use(struct graph *g)
{
    struct value *v = graph_value(g, "relu");

    v->use[0].in = 1;
}

static void wrong_shape(struct graph *g)
{
    graph_value(g, "relu")->shape.dim[1] = 4;
}

static void wrong_dtype(struct graph *g)
{
    graph_value(g, "relu")->dtype = DTYPE_U8;
}

static void no_shape(struct graph *g)
{
    graph_value(g, "image")->shape.rank = -1;
}

static void wrong_name(struct graph *g)
{
    g->node[1]->name = "other";
}

static void wrong_value_name(struct graph *g)
{
    graph_value(g, "conv.weight")->name = "other";
}

static void two_outputs(struct graph *g)
{
    graph_output(g, "logits", graph_value(g, "relu"), 0);
}

static struct value stranger = {.index = 100000, .name = "stranger"};

static void foreign_output(struct graph *g)
{
    graph_output(g, "more", &stranger, 0);
}

static void no_node(struct graph *g)
{
    graph_value(g, "relu")->kind = VALUE_INPUT;
}

static void wrong_place(struct graph *g)
{
    graph_value(g, "relu")->out = 1;
}

static void wrong_data(struct graph *g)
{
    graph_value(g, "conv.weight")->data.shape.dim[0] = 4;
}

static const struct {
    void (*spoil)(struct graph *g);
    const char *word;
} cases[] = {
    {swap_nodes, "topological order"},
    {wrong_index, "wrong index"},
    {lost_operand, "operand is missing"},
    {lost_use, "use is not listed"},
    {extra_use, "'relu'"},
    {wrong_shape, "'relu'"},
    {wrong_dtype, "'relu'"},
    {no_shape, "'image'"},
    {wrong_name, "named apart"},
    {wrong_value_name, "'other'"},
    {two_outputs, "two outputs"},
    {foreign_output, "another graph"},
    {no_node, "'relu'"},
    {wrong_place, "'relu'"},
    {wrong_data, "data of another shape"},
};

static void each_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct graph *g = make();
        struct err e = {0};

        assert_int_equal(graph_check(g, &e), 0);
        cases[i].spoil(g);
        if (graph_check(g, &e) == 0)
            fail_msg("case %d passes: %s", (int)i, cases[i].word);
        if (!strstr(e.msg, cases[i].word))
            fail_msg("'%s' is not in: %s", cases[i].word, e.msg);
        graph_free(g);
    }
}

static void random_graphs_hold(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 50; seed++) {
        struct graph *g = graph_random(seed, 6);
        struct err e = {0};

        if (graph_check(g, &e) < 0)
            fail_msg("%s", e.msg);
        graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_seen),
        cmocka_unit_test(random_graphs_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
