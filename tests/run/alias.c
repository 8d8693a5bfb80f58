/* alias.c -- tests of run/alias.c: what lies within other values is computed
 * to the bit as what lies by itself, and nothing is overwritten that is read
 * later.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../graph_maps.h"
#include "../graph_random.h"
#include "../pass_check.h"
#include "../plan_check.h"
#include "../slow.h"
#include "base/cpuinfo.h"
#include "base/err.h"
#include "graph/graph.h"
#include "run/plan_parts.h"

enum { SEEDS = EMULATED_RUN ? 8 : SLOW_RUN ? 25 : 60 };

static int views(const struct plan_bound *b)
{
    int n = 0;

    for (int i = 0; i < b->p->n_step; i++)
        n += b->p->step[i].view &&
             node_is(b->p->step[i].nodes.node[0], "concat|slice|split");
    return n;
}

/* Views found.  */
static int compare(const struct graph *g, unsigned isa, struct plan_opts o)
{
    static const int threads[] = {1, 2, 3, 5};
    struct plan_opts apart = o;
    struct plan_bound want;
    int n = 0;

    apart.no_alias = 1;
    want = plan_check_bind(g, isa, 1, apart);
    assert_int_equal(views(&want), 0);
    plan_check_memory(want.p);
    for (size_t t = 0; t < COUNT(threads); t += SLOW_RUN ? 3 : 1) {
        struct plan_bound b = plan_check_bind(g, isa, threads[t], o);

        plan_check_memory(b.p);
        plan_check_same(g, &b, &want);
        n = views(&b);
        plan_check_unbind(&b);
    }
    plan_check_unbind(&want);
    return n;
}

/* ---- tests ---- */

static void test_random(void **state)
{
    int n = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct graph *g = graph_maps_random(seed);

        n += compare(g, cpu_features(), (struct plan_opts){0});
        n += compare(g, 0, (struct plan_opts){.no_fuse = seed & 1});
        compare(g, cpu_features(), (struct plan_opts){.narrow = 1});
        compare(g, cpu_features(), (struct plan_opts){.batch = 2});
        compare(g, 0, (struct plan_opts){.keep_values = 1});
        graph_free(g);
    }
    assert_true(n > SEEDS / 2);
}

static void test_quantized(void **state)
{
    int n = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct graph *g = graph_maps_random(seed), *q;
        struct pass_ranges s;
        struct err e = {0};

        pass_check_ranges(&s, g, NULL);
        q = pass_quantize(g, &s.o, &e);
        assert_non_null(q);
        n += compare(q, cpu_features(), (struct plan_opts){0});
        compare(q, 0, (struct plan_opts){0});
        graph_free(q);
        graph_free(g);
    }
    assert_true(n > SEEDS / 2);
}

static void test_training(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct graph *g = graph_maps_random(seed),
                     *j = pass_check_join(g, NULL);
        struct graph *d = pass_check_differentiate(j);

        compare(d, cpu_features(), (struct plan_opts){0});
        graph_free(d);
        graph_free(j);
        graph_free(g);
    }
}

/* ---- known graphs ---- */

static struct value *slice(struct maps *d, struct value *x, int start, int n)
{
    return graph_maps_add(
               d, "slice", &x, 1,
               (struct attr_text[]){{"start", graph_maps_number(d, start)},
                                    {"length", graph_maps_number(d, n)},
                                    {0}})
        ->out[0];
}

static struct value *act(struct maps *d, struct value *x)
{
    return graph_maps_add(d, "relu", &x, 1, NULL)->out[0];
}

static struct value *branches(struct maps *d, struct value *x)
{
    return graph_maps_concat(d, act(d, graph_maps_conv(d, x, "16")),
                             act(d, graph_maps_conv(d, x, "20")), NULL);
}

static struct value *odd_first(struct maps *d, struct value *x)
{
    return graph_maps_concat(d, graph_maps_conv(d, x, "20"),
                             graph_maps_conv(d, x, "16"), NULL);
}

static struct value *nested(struct maps *d, struct value *x)
{
    struct value *y = graph_maps_concat(d, graph_maps_conv(d, x, "16"),
                                        graph_maps_conv(d, x, "16"), NULL);

    y = graph_maps_concat(d, graph_maps_conv(d, y, "16"), y, NULL);
    return graph_maps_concat(d, y, graph_maps_conv(d, y, "16"), NULL);
}

static struct value *twice(struct maps *d, struct value *x)
{
    x = graph_maps_conv(d, x, "16");
    return graph_maps_concat(d, x, graph_maps_conv(d, x, "16"), x);
}

static struct value *read_again(struct maps *d, struct value *x)
{
    x = graph_maps_conv(d, x, "16");
    return graph_maps_concat(
        d, act(d, graph_maps_concat(d, x, graph_maps_conv(d, x, "16"), NULL)),
        x, NULL);
}

static struct value *input(struct maps *d, struct value *x)
{
    return graph_maps_concat(d, x, graph_maps_conv(d, x, "16"), NULL);
}

static struct value *neighbours(struct maps *d, struct value *x)
{
    x = graph_maps_conv(d, x, "64");
    return graph_maps_concat(d, slice(d, x, 16, 16), slice(d, x, 32, 20), NULL);
}

static struct value *swapped(struct maps *d, struct value *x)
{
    x = graph_maps_conv(d, x, "64");
    return graph_maps_concat(d, slice(d, x, 32, 32), slice(d, x, 0, 32), NULL);
}

static struct value *odd_slice(struct maps *d, struct value *x)
{
    return act(d, slice(d, graph_maps_conv(d, x, "64"), 8, 32));
}

static const struct {
    const char *what;
    struct value *(*make)(struct maps *d, struct value *x);
    int views; /* among concat and slice */
} known[] = {
    {"branches", branches, 1},
    {"all but the last are whole groups", odd_first, 0},
    {"nested", nested, 3},
    {"an operand twice", twice, 0},
    {"an operand of two", read_again, 1},
    {"the input", input, 0},
    {"slices that follow each other", neighbours, 3},
    {"slices in another order", swapped, 2},
    {"a slice across groups", odd_slice, 0},
};

static void test_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        const struct shape s = {.rank = 4, .batch = 1, .dim = {1, 16, 4, 4}};
        struct maps d = {.g = graph_new("known")};
        struct plan_bound b;

        d.v[0] = graph_input(d.g, "image", DTYPE_F32, &s);
        graph_output(d.g, "y",
                     graph_maps_conv(&d, known[i].make(&d, d.v[0]), "16"), 0);
        graph_random_fill(d.g, i);
        compare(d.g, cpu_features(), (struct plan_opts){0});
        b = plan_check_bind(d.g, cpu_features(), 1, (struct plan_opts){0});
        if (views(&b) != known[i].views)
            fail_msg("%s: %d views, not %d", known[i].what, views(&b),
                     known[i].views);
        plan_check_unbind(&b);
        graph_free(d.g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_quantized),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
