/* simplify.c -- what a graph does not need is removed.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../graph_random.h"
#include "../interp.h"
#include "../pass_check.h"
#include "base/err.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"

static void random_graphs(void **state)
{
    (void)state;
    pass_check_random(pass_simplify, 40, 1);
}

static struct value *add(struct graph *g, const char *op, const char *name,
                         struct value *x, const struct attr_text *attr)
{
    struct err e = {0};
    struct node *n = graph_add(g, op_find(op), name, &x, 1, attr, &e);

    if (!n)
        fail_msg("%s", e.msg);
    return n->out[0];
}

static struct value *image(struct graph *g)
{
    const struct shape s = {.rank = 4, .dim = {1, 3, 4, 4}, .batch = 1};

    return graph_input(g, "image", DTYPE_F32, &s);
}

static void idle_nodes_go(void **state)
{
    struct graph *g = graph_new("idle"), *p;
    struct value *x = image(g);
    struct err e = {0};

    (void)state;
    x = add(g, "identity", "identity", x, NULL);
    x = add(g, "relu", "relu", x, NULL);
    x = add(g, "dropout", "dropout", x, NULL);
    x = add(g, "padchannels", "pad", x, (struct attr_text[]){{"to", "3"}, {0}});
    x = add(g, "subsample", "sub", x,
            (struct attr_text[]){{"stride", "1"}, {0}});
    x = add(g, "reshape", "reshape", x,
            (struct attr_text[]){{"shape", "[1, 3, 4, 4]"}, {0}});
    /* There and back.  */
    x = add(g, "flatten", "flat", x, NULL);
    x = add(g, "reshape", "again", x,
            (struct attr_text[]){{"shape", "[1, 3, 4, 4]"}, {0}});
    graph_output(g, "logits", x, 0);
    pass_check_one(pass_simplify, g, 1);
    p = pass_simplify(g, &e);
    assert_int_equal(p->n_node, 1);
    assert_string_equal(graph_output_value(p, "logits")->name, "relu");
    graph_free(p);
    /* Dropout that draws stays.  */
    g->node[2]->train = 1;
    p = pass_simplify(g, &e);
    assert_int_equal(p->n_node, 2);
    graph_free(p);
    graph_free(g);
}

static void training_parts_go(void **state)
{
    struct graph *g = graph_new("heads"), *p;
    struct value *x = add(g, "globalavgpool", "pool", image(g), NULL);
    const struct attr_text two[] = {{"out", "2"}, {0}};
    struct err e = {0};

    (void)state;
    graph_output(g, "logits", add(g, "linear", "fc", x, two), 0);
    graph_output(g, "aux", add(g, "linear", "aux.fc", x, two), 1);
    graph_random_fill(g, 1);
    pass_check_one(pass_simplify, g, 1);
    p = pass_simplify(g, &e);
    assert_int_equal(p->n_output, 1);
    assert_null(graph_value(p, "aux.fc"));
    assert_null(graph_value(p, "aux.fc.weight"));
    assert_non_null(graph_value(p, "fc.weight"));
    graph_free(p);
    graph_free(g);
}

/* relu(constant) + image: the constant is worked out, its name stays.  */
static void constants_fold(void **state)
{
    struct graph *g = graph_new("const"), *p;
    struct value *x = image(g), *c;
    struct shape s = shape_make(3, (int64_t[]){3, 1, 1});
    struct tensor t;
    struct err e = {0};

    (void)state;
    assert_int_equal(tensor_new(&t, DTYPE_F32, &s, &e), 0);
    ((float *)t.data)[0] = -2;
    ((float *)t.data)[1] = 3;
    c = add(g, "relu", "relu", graph_tensor(g, "shift", VALUE_CONST, NULL, &t),
            NULL);
    tensor_unref(&t);
    graph_output(g, "logits",
                 graph_add(g, op_find("add"), "add", (struct value *[]){x, c},
                           2, NULL, &e)
                     ->out[0],
                 0);
    pass_check_one(pass_simplify, g, 1);
    p = pass_simplify(g, &e);
    assert_int_equal(p->n_node, 1);
    assert_null(graph_value(p, "shift"));
    c = graph_value(p, "relu");
    assert_int_equal(c->kind, VALUE_CONST);
    assert_true(((float *)c->data.data)[0] == 0);
    assert_true(((float *)c->data.data)[1] == 3);
    graph_free(p);
    graph_free(g);
}

static struct value *sum(struct graph *g, const char *name, struct value *x,
                         struct value *y)
{
    struct err e = {0};

    return graph_add(g, op_find("add"), name, (struct value *[]){x, y}, 2, NULL,
                     &e)
        ->out[0];
}

/* Both compute the same bits.  */
static void same_logits(const struct graph *g, const struct graph *p)
{
    struct interp a, b;

    interp_run(&a, g, 2, 7);
    interp_run(&b, p, 2, 7);
    assert_memory_equal(interp_output(&a, "logits")->data,
                        interp_output(&b, "logits")->data,
                        tensor_bytes(interp_output(&a, "logits")));
    interp_release(&a);
    interp_release(&b);
}

/* An encoder layer, of which one token is wanted: all but the part in front of
 * attention works on that token.  */
static void tokens_go(void **state)
{
    const struct attr_text six[] = {{"out", "6"}, {0}};
    const struct attr_text heads[] = {{"heads", "2"}, {0}};
    const struct attr_text fifth[] = {{"index", "4"}, {0}};
    const struct shape shape = {.rank = 3, .dim = {1, 7, 6}, .batch = 1};
    struct graph *g = graph_new("layer"), *p;
    struct value *x = graph_input(g, "image", DTYPE_F32, &shape), *y;
    struct err e = {0};

    (void)state;
    y = add(g, "layernorm", "ln_1", x, NULL);
    y = add(g, "linear", "in", y, (struct attr_text[]){{"out", "18"}, {0}});
    y = add(g, "attention", "attention", y, heads);
    x = sum(g, "sum", add(g, "linear", "out", y, six), x);
    y = add(g, "layernorm", "ln_2", x, NULL);
    y = add(g, "gelu", "gelu", add(g, "linear", "mlp", y, six), NULL);
    x = sum(g, "sum_2", x, y);
    graph_output(g, "logits", add(g, "select", "token", x, fifth), 0);
    graph_random_fill(g, 1);
    pass_check_one(pass_simplify, g, 0);
    p = pass_simplify(g, &e);
    same_logits(g, p);
    assert_int_equal(p->n_node, g->n_node + 2);
    assert_int_equal(pass_check_count(p, "slice"), 2);
    assert_int_equal(graph_value(p, "in")->shape.dim[1], 7);
    assert_int_equal(graph_value(p, "attention")->shape.dim[1], 7);
    assert_int_equal(graph_value(p, "out")->shape.dim[1], 1);
    assert_int_equal(graph_value(p, "gelu")->shape.dim[1], 1);
    assert_string_equal(graph_output_value(p, "logits")->name, "token");
    graph_free(p);
    /* What others want whole stays.  */
    graph_output(g, "all", graph_value(g, "sum_2"), 0);
    p = pass_simplify(g, &e);
    assert_int_equal(p->n_node, g->n_node);
    graph_free(p);
    graph_free(g);
}

static void table(void **state)
{
    (void)state;
    for (const struct pass_named *p = pass_named; p->name; p++)
        pass_check_random(p->apply, 5, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs),     cmocka_unit_test(idle_nodes_go),
        cmocka_unit_test(training_parts_go), cmocka_unit_test(constants_fold),
        cmocka_unit_test(tokens_go),         cmocka_unit_test(table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
