/* order.c -- tests of run/order.c: siblings, done at once, have the bits that
 * they have one by one.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../graph_maps.h"
#include "../graph_random.h"
#include "../plan_check.h"
#include "../slow.h"
#include "base/cpuinfo.h"
#include "run/plan_parts.h"

enum { SEEDS = EMULATED_RUN ? 8 : SLOW_RUN ? 25 : 60 };

/* Those done with a sibling in front of them.  */
static int joined(const struct plan_bound *b)
{
    int n = 0;

    for (int i = 0; i < b->p->n_step; i++)
        n += b->p->step[i].joined;
    return n;
}

/* Results are those of one by one; how many are done with one in front.  */
static int compare_siblings(const struct graph *g)
{
    struct plan_bound b =
        plan_check_bind(g, cpu_features(), 3, (struct plan_opts){0});
    struct plan_bound want = plan_check_bind(
        g, cpu_features(), 1, (struct plan_opts){.no_siblings = 1});
    const int n = joined(&b);

    assert_int_equal(joined(&want), 0);
    plan_check_same(g, &b, &want);
    plan_check_unbind(&b);
    plan_check_unbind(&want);
    return n;
}

/* Three of one value; a fourth adds what the first makes, and waits.  */
static void test_siblings(void **state)
{
    const struct shape s = {.rank = 4, .batch = 1, .dim = {1, 16, 4, 4}};
    struct maps d = {.g = graph_new("siblings")};
    struct value *x = graph_input(d.g, "image", DTYPE_F32, &s), *y[4];

    (void)state;
    d.v[0] = x = graph_maps_conv(&d, x, "16");
    for (int i = 0; i < 4; i++)
        y[i] = graph_maps_conv(&d, x, i == 2 ? "20" : "16");
    y[3] = graph_maps_add(&d, "add", (struct value *[]){y[0], y[3]}, 2, NULL)
               ->out[0];
    graph_output(d.g, "y", graph_maps_concat(&d, y[1], y[2], y[3]), 0);
    graph_output(d.g, "z", y[0], 0);
    graph_random_fill(d.g, 3);
    assert_int_equal(compare_siblings(d.g), 2);
    graph_free(d.g);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        d.g = graph_maps_random(seed);
        compare_siblings(d.g);
        graph_free(d.g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siblings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
