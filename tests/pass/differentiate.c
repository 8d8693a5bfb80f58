/* differentiate.c -- gradients of whole graphs against central differences.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "../graph_random.h"
#include "../interp.h"
#include "../pass_check.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"

enum { BATCH = 3 };

/* The loss with element I of parameter NAME moved by H.  */
static double loss_at(const struct graph *g, const char *name, int64_t i,
                      double h)
{
    struct interp r;
    double loss;

    interp_fill(&r, g, BATCH, 11, 1);
    ((double *)interp_value(&r, name)->data)[i] += h;
    interp_go(&r);
    loss = *(double *)interp_output(&r, "loss")->data;
    interp_release(&r);
    return loss;
}

static void compare(const struct graph *g, const char *name,
                    const struct tensor *d, const struct rng *rng)
{
    const double h = 1e-6;
    const int64_t i =
        (int64_t)rng_below(rng, hash_name(name), (uint64_t)tensor_count(d));
    const double got = ((double *)d->data)[i];
    const double want =
        (loss_at(g, name, i, h) - loss_at(g, name, i, -h)) / (2 * h);
    const double far =
        (loss_at(g, name, i, 8 * h) - loss_at(g, name, i, -8 * h)) / (16 * h);
    /* Truncation is of the size of what a larger step changes; rounding of
     * the loss, about 1, is 2^-52 / h, here with room.  */
    const double tol = 1e-7 + 1e-6 * fabs(want) + fabs(far - want);

    if (!(fabs(got - want) <= tol))
        fail_msg("d(%s)[%d] is %.12g, differences say %.12g", name, (int)i, got,
                 want);
}

static void compare_all(const struct graph *g, const struct graph *d)
{
    const struct rng rng = rng_at(5, RNG_TEST, 0, 0);
    struct interp r;

    interp_fill(&r, d, BATCH, 11, 1);
    interp_go(&r);
    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = g->value[i];
        struct str name = {0};
        struct tensor *t;

        if (v->kind != VALUE_PARAM)
            continue;
        str_printf(&name, "d(%s)", v->name);
        t = interp_output(&r, str_text(&name));
        str_release(&name);
        if (v->frozen || !t) {
            assert_true(v->frozen && !t);
            continue;
        }
        assert_true(shape_equal(&t->shape, &v->shape));
        compare(g, v->name, t, &rng);
    }
    interp_release(&r);
}

static void random_graphs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct graph *n = graph_random(seed, 1 + (int)(seed % 5));
        struct graph *g = pass_check_join(n, NULL),
                     *d = pass_check_differentiate(g);

        compare_all(g, d);
        graph_free(d);
        graph_free(g);
        graph_free(n);
    }
}

/* Normalisation with its running statistics has another gradient.  */
static void frozen_layers(void **state)
{
    static const char *const frozen[] = {"s0.*", "s1.*bn", "*.bias", NULL};

    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct graph *n = graph_random(seed, 4);
        struct graph *g = pass_check_join(n, frozen),
                     *d = pass_check_differentiate(g);

        compare_all(g, d);
        for (int i = 0; i < d->n_node; i++)
            if (d->node[i]->dir == DIR_BACKWARD &&
                str_starts(d->node[i]->name, "s0."))
                fail_msg("'%s' computes what nobody wants", d->node[i]->name);
        graph_free(d);
        graph_free(g);
        graph_free(n);
    }
}

static void updates(void **state)
{
    struct graph *n = graph_random(3, 5), *g = pass_check_join(n, NULL);
    struct graph *d = pass_check_differentiate(g);
    int bn = pass_check_count(n, "batchnorm2d"), updates_seen = 0;

    (void)state;
    for (int i = 0; i < d->n_node; i++)
        updates_seen += d->node[i]->dir == DIR_UPDATE;
    assert_true(bn > 0);
    assert_int_equal(updates_seen, bn);
    graph_free(d);
    graph_free(g);
    graph_free(n);
}

static void join_keeps_input(void **state)
{
    struct graph *n = graph_random(4, 5), *g;
    struct str a = {0}, b = {0};

    (void)state;
    interp_dump(&a, n);
    g = pass_check_join(n, NULL);
    graph_free(pass_check_differentiate(g));
    interp_dump(&b, n);
    assert_string_equal(str_text(&a), str_text(&b));
    assert_non_null(graph_value(g, "target"));
    assert_non_null(graph_output_value(g, "loss"));
    assert_non_null(graph_output_value(g, "logits"));
    str_release(&a);
    str_release(&b);
    graph_free(g);
    graph_free(n);
}

static void errors(void **state)
{
    struct graph *n = graph_random(4, 2), *g = pass_check_join(n, NULL);
    struct err e = {0};

    (void)state;
    assert_null(pass_differentiate(g, "nothing", NULL, &e));
    assert_int_equal(e.code, ERR_USAGE);
    e.code = ERR_NONE;
    assert_null(pass_differentiate(g, "logits", NULL, &e));
    assert_int_equal(e.code, ERR_SHAPE);
    graph_free(g);
    graph_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs), cmocka_unit_test(frozen_layers),
        cmocka_unit_test(updates),       cmocka_unit_test(join_keeps_input),
        cmocka_unit_test(errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
