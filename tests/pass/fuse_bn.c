/* fuse_bn.c -- batch normalisation folded into the layer in front.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../graph_random.h"
#include "../pass_check.h"
#include "base/err.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"

static void random_graphs(void **state)
{
    (void)state;
    pass_check_random(pass_fuse_bn, 40, 1);
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
    const struct shape s = {.rank = 4, .dim = {1, 2, 4, 4}, .batch = 1};

    return graph_input(g, "image", DTYPE_F32, &s);
}

static const struct attr_text three[] = {{"out", "3"}, {"kernel", "3"}, {0}};

/* image -> conv1 -> bn1 -> relu.  */
static struct graph *small(void)
{
    struct graph *g = graph_new("small");
    struct value *x = add(g, "conv2d", "conv1", image(g), three);

    x = add(g, "batchnorm2d", "bn1", x, NULL);
    graph_output(g, "logits", add(g, "relu", "relu", x, NULL), 0);
    graph_random_fill(g, 1);
    return g;
}

static void names_stay(void **state)
{
    struct graph *g = small(), *p;
    struct err e = {0};

    (void)state;
    p = pass_fuse_bn(g, &e);
    assert_non_null(p);
    assert_int_equal(p->n_node, 2);
    assert_string_equal(p->node[0]->name, "bn1");
    assert_string_equal(p->node[0]->op->name, "conv2d");
    assert_non_null(graph_value(p, "conv1.weight"));
    assert_non_null(graph_value(p, "conv1.bias"));
    assert_null(graph_value(p, "bn1.weight"));
    assert_null(graph_value(p, "conv1"));
    /* The input still holds its own weights.  */
    assert_ptr_not_equal(graph_value(p, "conv1.weight")->data.data,
                         graph_value(g, "conv1.weight")->data.data);
    graph_free(p);
    graph_free(g);
}

static void two_in_a_row(void **state)
{
    struct graph *g = graph_new("row"), *p;
    struct value *x = add(g, "conv2d", "conv1", image(g), three);
    struct err e = {0};

    (void)state;
    x = add(g, "batchnorm2d", "bn1", x, NULL);
    x = add(g, "batchnorm2d", "bn2", x, NULL);
    graph_output(g, "logits", x, 0);
    graph_random_fill(g, 3);
    pass_check_one(pass_fuse_bn, g, 1);
    p = pass_fuse_bn(g, &e);
    assert_int_equal(p->n_node, 1);
    graph_free(p);
    graph_free(g);
}

/* Two convolutions with one weight and normalisations of their own.  */
static void shared_weight(void **state)
{
    struct graph *g = graph_new("shared"), *p;
    struct value *x = image(g);
    struct value *a = add(g, "conv2d", "a", x, three);
    struct err e = {0};
    struct node *b = graph_add(
        g, op_find("conv2d"), "b",
        (struct value *[]){x, graph_value(g, "a.weight")}, 2, three, &e);
    struct value *sum[] = {add(g, "batchnorm2d", "bn_a", a, NULL),
                           add(g, "batchnorm2d", "bn_b", b->out[0], NULL)};
    struct node *n = graph_add(g, op_find("add"), "add", sum, 2, NULL, &e);

    (void)state;
    graph_output(g, "logits", n->out[0], 0);
    graph_random_fill(g, 3);
    pass_check_one(pass_fuse_bn, g, 1);
    p = pass_fuse_bn(g, &e);
    assert_int_equal(pass_check_count(p, "batchnorm2d"), 0);
    assert_int_equal(p->n_node, 3);
    graph_free(p);
    graph_free(g);
}

static void kept_where_not_alone(void **state)
{
    struct graph *g = graph_new("open"), *p;
    struct value *x = add(g, "conv2d", "conv1", image(g), three);
    struct err e = {0};

    (void)state;
    graph_output(g, "logits", add(g, "batchnorm2d", "bn1", x, NULL), 0);
    graph_output(g, "features", x, 0);
    graph_random_fill(g, 3);
    p = pass_fuse_bn(g, &e);
    assert_int_equal(pass_check_count(p, "batchnorm2d"), 1);
    graph_free(p);
    graph_free(g);
    g = small();
    g->node[1]->train = 1;
    p = pass_fuse_bn(g, &e);
    assert_int_equal(pass_check_count(p, "batchnorm2d"), 1);
    graph_free(p);
    graph_free(g);
}

/* F-152: variance below zero, eps 0; a scale that is too large.  */
static void bad_numbers(void **state)
{
    struct graph *g = small();
    float *var = graph_value(g, "bn1.running_var")->data.data;
    float *w = graph_value(g, "bn1.weight")->data.data;

    (void)state;
    var[1] = -1;
    pass_check_fails(pass_fuse_bn, g, ERR_NONFINITE, "'bn1'", "channel 1");
    var[1] = 0;
    attr_set_real(g->node[1], "eps", 0);
    pass_check_fails(pass_fuse_bn, g, ERR_NONFINITE, "'bn1'", "channel 1");
    var[1] = 1e-30f;
    w[1] = 1e30f;
    pass_check_fails(pass_fuse_bn, g, ERR_NONFINITE, "'bn1'", "channel 1");
    var[1] = 1;
    w[1] = __builtin_nanf("");
    pass_check_fails(pass_fuse_bn, g, ERR_NONFINITE, "'bn1'", "channel 1");
    graph_free(g);
}

static void no_weights(void **state)
{
    struct graph *g = graph_new("empty");
    struct value *x = add(g, "conv2d", "conv1", image(g), three);

    (void)state;
    graph_output(g, "logits", add(g, "batchnorm2d", "bn1", x, NULL), 0);
    pass_check_fails(pass_fuse_bn, g, ERR_USAGE, "bn1.weight", "adze-init");
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs),        cmocka_unit_test(names_stay),
        cmocka_unit_test(two_in_a_row),         cmocka_unit_test(shared_weight),
        cmocka_unit_test(kept_where_not_alone), cmocka_unit_test(bad_numbers),
        cmocka_unit_test(no_weights),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
