/* graph.c -- building graphs and asking them.
 * SPDX-License-Identifier: MIT  */
#include "graph/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../graph_random.h"
#include "../interp.h"
#include "base/err.h"
#include "base/str.h"
#include "op/ops.h"

static struct value *image(struct graph *g)
{
    const struct shape s = {.rank = 4, .dim = {1, 2, 4, 4}, .batch = 1};

    return graph_input(g, "image", DTYPE_F32, &s);
}

static struct node *add(struct graph *g, const char *op, const char *name,
                        struct value *x, const struct attr_text *attr)
{
    struct err e = {0};
    struct node *n = graph_add(g, op_find(op), name, &x, 1, attr, &e);

    if (!n)
        fail_msg("%s", e.msg);
    return n;
}

static const struct attr_text three[] = {
    {"out", "3"}, {"kernel", "3"}, {"bias", "yes"}, {0}};

static void building(void **state)
{
    struct graph *g = graph_new("net");
    struct node *n = add(g, "conv2d", "conv", image(g), three);
    struct node *bn = add(g, "batchnorm2d", "bn", n->out[0], NULL);
    struct err e = {0};

    (void)state;
    graph_output(g, "logits", bn->out[0], 0);
    assert_int_equal(n->n_in, 3);
    assert_string_equal(n->in[1]->name, "conv.weight");
    assert_string_equal(n->in[2]->name, "conv.bias");
    assert_int_equal(n->in[1]->kind, VALUE_PARAM);
    assert_string_equal(n->in[1]->init, "fan");
    assert_int_equal(n->in[1]->shape.dim[1], 2);
    assert_string_equal(n->out[0]->name, "conv");
    assert_int_equal(n->out[0]->shape.dim[2], 2);
    assert_int_equal(n->out[0]->shape.batch, 1);
    assert_int_equal(bn->n_out, 3);
    assert_string_equal(bn->out[2]->name, "bn/2");
    assert_int_equal(bn->in[3]->kind, VALUE_STATE);
    assert_ptr_equal(graph_value(g, "bn/1"), bn->out[1]);
    assert_ptr_equal(graph_output_value(g, "logits"), bn->out[0]);
    assert_null(graph_output_value(g, "bn"));
    assert_int_equal(value_is_output(g, bn->out[0]), 1);
    assert_int_equal(value_is_output(g, n->out[0]), 0);
    assert_int_equal(node_in_index(bn, "running_var"), 4);
    assert_int_equal(node_in_index(bn, "var"), -1);
    assert_true(node_is(bn, "batchnorm2d"));
    assert_true(node_is(bn, "relu|batchnorm2d|add"));
    assert_false(node_is(bn, "batchnorm2|batchnorm2d3|norm2d"));
    assert_false(node_is(bn, ""));
    assert_false(node_is(NULL, "relu"));
    assert_string_equal(graph_name_free(g, "conv"), "conv_2");
    assert_string_equal(graph_name_free(g, "other"), "other");
    assert_int_equal(graph_check(g, &e), 0);
    graph_free(g);
}

/* graph_add() of OP named NAME fails with CODE and a message with WORD.  */
static void refuses(const char *op, const char *name, int n_in,
                    const struct attr_text *attr, int code, const char *word)
{
    struct graph *g = graph_new("net");
    struct value *x[4] = {image(g)};
    struct err e = {0};

    x[1] = x[2] = x[3] = x[0];
    add(g, "relu", "a", x[0], NULL);
    add(g, "relu", "b/1", x[0], NULL);
    add(g, "relu", "b.weight", x[0], NULL);
    assert_null(graph_add(g, op_find(op), name, x, n_in, attr, &e));
    assert_int_equal(e.code, code);
    if (!strstr(e.msg, word))
        fail_msg("'%s' is not in: %s", word, e.msg);
    graph_free(g);
}

static void errors(void **state)
{
    (void)state;
    refuses("relu", "a", 1, NULL, ERR_USAGE, "named 'a'");
    refuses("relu", "image", 1, NULL, ERR_USAGE, "named 'image'");
    refuses("batchnorm2d", "b", 1, NULL, ERR_USAGE, "named 'b.weight'");
    refuses("batchnorm2d", "b", 1, (struct attr_text[]){{"affine", "no"}, {0}},
            ERR_USAGE, "named 'b/1'");
    refuses("relu", "c", 2, NULL, ERR_USAGE, "takes 1 inputs");
    refuses("add", "c", 0, NULL, ERR_USAGE, "needs an input");
    refuses("conv2d", "c", 1, NULL, ERR_USAGE, "'out'");
    refuses("conv2d", "c", 1,
            (struct attr_text[]){{"out", "3"}, {"kernle", "3"}, {0}}, ERR_USAGE,
            "did you mean 'kernel'");
    refuses("conv2d", "c", 1,
            (struct attr_text[]){{"out", "3"}, {"kernel", "9"}, {0}}, ERR_SHAPE,
            "'c' (conv2d)");
}

static void joins(void **state)
{
    struct graph *g = graph_new("net");
    struct value *x = image(g), *in[] = {x, x, x};
    struct err e = {0};
    struct node *n = graph_add(g, op_find("add"), "add", in, 3, NULL, &e);

    (void)state;
    assert_non_null(n);
    assert_int_equal(n->n_join, 3);
    assert_int_equal(node_op_in(n), 3);
    assert_int_equal(x->n_use, 3);
    assert_string_equal(node_in_info(n, 2)->name, op_find("add")->in[0].name);
    assert_int_equal(graph_check(g, &e), 0);
    graph_free(g);
}

static void copies(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct graph *g = graph_random(seed, 4), *c = graph_copy(g);
        struct str a = {0}, b = {0};
        struct err e = {0};

        interp_dump(&a, g);
        interp_dump(&b, c);
        assert_string_equal(str_text(&a), str_text(&b));
        assert_int_equal(g->n_value, c->n_value);
        for (int i = 0; i < g->n_value; i++) {
            assert_string_equal(g->value[i]->name, c->value[i]->name);
            assert_ptr_equal(g->value[i]->data.data, c->value[i]->data.data);
            assert_int_equal(g->value[i]->n_use, c->value[i]->n_use);
        }
        assert_int_equal(graph_check(c, &e), 0);
        graph_free(g); /* the copy keeps its share of the tensors */
        str_clear(&b);
        interp_dump(&b, c);
        assert_string_equal(str_text(&a), str_text(&b));
        graph_free(c);
        str_release(&a);
        str_release(&b);
    }
}

static void scopes(void **state)
{
    struct graph *g = graph_new("net");
    struct value *x = image(g);

    (void)state;
    x = add(g, "relu", "layer1.0.relu", x, NULL)->out[0];
    x = add(g, "relu", "layer1.1.relu", x, NULL)->out[0];
    x = add(g, "relu", "layer10.relu", x, NULL)->out[0];
    assert_string_equal(graph_scope_value(g, "layer1")->name, "layer1.1.relu");
    assert_string_equal(graph_scope_value(g, "layer1.0")->name,
                        "layer1.0.relu");
    assert_string_equal(graph_scope_value(g, "layer10.relu")->name,
                        "layer10.relu");
    assert_null(graph_scope_value(g, "layer"));
    graph_free(g);
}

static void backward_nodes(void **state)
{
    struct graph *g = graph_new("net");
    struct node *n = add(g, "conv2d", "conv", image(g), three), *b, *u;
    struct node *bn = add(g, "batchnorm2d", "bn", n->out[0], NULL);
    struct err e = {0};

    (void)state;
    b = graph_add_backward(g, n, &bn->out[0], (int[]){0, 1, 1}, &e);
    assert_non_null(b);
    assert_int_equal(b->n_in, 5); /* x weight bias, y, dy */
    assert_ptr_equal(b->in[0], n->in[0]);
    assert_null(b->in[2]); /* the bias is not read */
    assert_null(b->in[3]);
    assert_ptr_equal(b->in[4], bn->out[0]);
    assert_null(b->out[0]);
    assert_string_equal(b->out[1]->name, "d(conv.weight)");
    assert_true(shape_equal(&b->out[1]->shape, &n->in[1]->shape));
    assert_null(graph_add_update(g, n, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    e.code = ERR_NONE;
    u = graph_add_update(g, bn, &e);
    assert_non_null(u);
    assert_int_equal(u->n_out, 0);
    assert_int_equal(u->n_in, 8);
    assert_int_equal(graph_check(g, &e), 0);
    graph_free(g);
}

static void costs(void **state)
{
    struct graph *g = graph_new("net");
    struct node *n = add(g, "conv2d", "conv", image(g), three);

    (void)state;
    /* 3 channels of 2x2, each 2 * 9 multiply-adds, and the bias.  */
    assert_int_equal(node_cost(n).mac, 12 * 18);
    assert_int_equal(node_cost(n).flop, 12 * (2 * 18 - 1) + 12);
    assert_int_equal(node_mac(n), 12 * 18);
    graph_free(g);
}

/* Of the gradients of picture, weight and bias those that are wanted, but the
 * bias costs none.  */
static void backward_costs(void **state)
{
    static const int want[][3] = {{1, 1, 1}, {0, 1, 1}, {0, 0, 1}};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct graph *g = graph_new("net");
        struct err e = {0};
        struct node *n = add(g, "conv2d", "conv", image(g), three), *b;
        struct value *dy = graph_input(g, "dy", DTYPE_F32, &n->out[0]->shape);

        b = graph_add_backward(g, n, &dy, want[i], &e);
        assert_non_null(b);
        assert_int_equal(node_mac(b), (2 - i) * 12 * 18);
        graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(building), cmocka_unit_test(errors),
        cmocka_unit_test(joins),    cmocka_unit_test(copies),
        cmocka_unit_test(scopes),   cmocka_unit_test(backward_nodes),
        cmocka_unit_test(costs),    cmocka_unit_test(backward_costs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
