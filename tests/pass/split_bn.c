/* split_bn.c -- tests of lib/pass/split_bn.c.
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
#include "base/str.h"
#include "graph/graph.h"

enum { BATCH = 3 };

static struct graph *split(const struct graph *g)
{
    struct err e = {0};
    struct graph *s = pass_split_bn(g, &e);

    if (!s)
        fail_msg("%s", e.msg);
    return s;
}

/* In double the parts are the whole to the last digits.  */
static void compare(const struct tensor *a, const struct tensor *b,
                    const char *name)
{
    assert_true(shape_equal(&a->shape, &b->shape));
    for (int64_t i = 0; i < tensor_count(a); i++) {
        const double x = ((double *)a->data)[i], y = ((double *)b->data)[i];

        if (!(fabs(x - y) <= 1e-11 * (1 + fabs(x))))
            fail_msg("'%s' [%d] is %.15g, not %.15g", name, (int)i, y, x);
    }
}

/* Outputs, gradients among them, and what the update nodes leave.  */
static void compare_all(const struct graph *g, const struct graph *s)
{
    struct interp a, b;

    interp_fill(&a, g, BATCH, 11, 1);
    interp_fill(&b, s, BATCH, 11, 1);
    interp_go(&a);
    interp_go(&b);
    for (int i = 0; i < g->n_output; i++)
        compare(interp_output(&a, g->output[i].name),
                interp_output(&b, g->output[i].name), g->output[i].name);
    for (int i = 0; i < g->n_value; i++)
        if (g->value[i]->kind == VALUE_STATE)
            compare(interp_value(&a, g->value[i]->name),
                    interp_value(&b, g->value[i]->name), g->value[i]->name);
    assert_int_equal(g->n_output, s->n_output);
    interp_release(&a);
    interp_release(&b);
}

/* Normalisation that trains is split, the rest stays.  */
static int count_whole(const struct graph *g, int train)
{
    int n = 0;

    for (int i = 0; i < g->n_node; i++)
        n += !strcmp(g->node[i]->op->name, "batchnorm2d") &&
             g->node[i]->dir != DIR_UPDATE && g->node[i]->train == train;
    return n;
}

static void random_graphs(void **state)
{
    static const char *const frozen[] = {"s1.*bn", NULL};
    int seen[2] = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= 16; seed++) {
        struct graph *n = graph_random(seed, 1 + (int)(seed % 5));
        struct graph *g = pass_check_join(n, seed % 2 ? frozen : NULL);
        struct graph *d = pass_check_differentiate(g), *s;
        struct str before = {0}, after = {0};

        interp_dump(&before, d);
        s = split(d);
        interp_dump(&after, d);
        assert_string_equal(str_text(&before), str_text(&after));
        compare_all(d, s);
        assert_int_equal(count_whole(s, 1), 0);
        assert_int_equal(count_whole(s, 0), count_whole(d, 0));
        seen[0] += count_whole(d, 0);
        seen[1] += count_whole(d, 1);
        str_release(&before);
        str_release(&after);
        graph_free(s);
        graph_free(d);
        graph_free(g);
        graph_free(n);
    }
    assert_true(seen[0] && seen[1]);
}

static void twice_is_once(void **state)
{
    struct graph *n = graph_random(5, 5), *g = pass_check_join(n, NULL);
    struct graph *d = pass_check_differentiate(g), *a = split(d), *b = split(a);
    struct str x = {0}, y = {0};

    (void)state;
    interp_dump(&x, a);
    interp_dump(&y, b);
    assert_string_equal(str_text(&x), str_text(&y));
    str_release(&x);
    str_release(&y);
    graph_free(b);
    graph_free(a);
    graph_free(d);
    graph_free(g);
    graph_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs),
                                       cmocka_unit_test(twice_is_once)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
