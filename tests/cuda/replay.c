/* replay.c -- steps on the GPU that are recorded and replayed: their times, and
 * what else reads the parameters.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../toy.h"
#include "../toy_run.h"
#include "base/err.h"
#include "emu.h"
#include "graph/graph.h"
#include "offers.h"
#include "run/params.h"
#include "run/plan.h"
#include "run/plan_parts.h"
#include "run/profile.h"
#include "train/graph.h"

enum { BATCH = 6, STEPS = 4 };

static void start(struct toy_run *r, int narrow)
{
    toy_start(r, toy_graph(NULL, 1), gpu(), NULL,
              &(struct plan_opts){.batch = BATCH, .narrow = narrow});
}

/* Each step has the time between two marks, also of work that is replayed; the
 * ceilings are measured in memory that is given back.  */
static void test_profile(void **state)
{
    const struct plan_opts o = {.batch = BATCH, .narrow = 1, .profile = 1};
    static const enum peak known[] = {PEAK_COPY, PEAK_F32, PEAK_BF16, PEAK_F16, PEAK_I8};
    struct err e = {0};
    struct ceilings c;
    struct toy_run r;
    double some = 0;
    size_t used;

    (void)state;
    start(&r, PRECISION_BF16);
    plan_free(r.plan);
    r.plan = plan_new(r.graph, r.device, r.params, &o, &e);
    assert_non_null(r.plan);
    for (int i = 0; i < 5; i++) {
        const struct run_step s = {7, 0};

        assert_int_equal(plan_run(r.plan, &s, &e), 0);
        assert_int_equal(plan_update(r.plan, &e), 0);
    }
    for (int k = 0; k < 2; k++)
        assert_int_equal(r.plan->work[k].timed, 3);
    assert_true(r.plan->work[1].kept != NULL);
    for (int i = 0; i < r.plan->n_step; i++) {
        assert_true(plan_step(r.plan, i).seconds >= 0);
        some += plan_step(r.plan, i).seconds;
    }
    assert_true(some > 0 && some < 100);
    used = emu_used();
    for (size_t k = 0; k < COUNT(known); k++)
        assert_true(r.device->peak(r.device, known[k], NULL) > 0);
    profile_measure(&c, r.plan, NULL);
    assert_true(c.at[PEAK_BF16] > 0 && c.at[PEAK_F16] == 0);
    assert_int_equal(emu_used(), used);
    assert_int_equal(r.device->finish(r.device, &e), 0);
    toy_end(&r);
}

static struct plan *evaluation(const struct toy_run *r, const struct graph *g, struct params *ps)
{
    const struct plan_opts o = {.batch = BATCH, .narrow = PRECISION_BF16};
    struct err e = {0};
    struct plan *p = plan_new(g, r->device, ps, &o, &e);
    struct tensor *x;

    if (!p)
        fail_msg("%s", e.msg);
    x = plan_value(p, "image");
    memcpy(x->data, plan_value(r->plan, "image")->data, tensor_bytes(x));
    return p;
}

/* Parameters are packed for a plan that came when the steps had been recorded;
 * they are so again behind the next step.  */
static void test_packed_later(void **state)
{
    const struct train_rates rates = {0.05, 0, 0};
    struct err e = {0};
    struct train_result q;
    struct graph *g;
    struct params *ps;
    struct plan *a, *b;
    struct toy_run r;

    (void)state;
    start(&r, PRECISION_FP32);
    g = graph_copy(r.network);
    a = NULL;
    for (uint64_t n = 0; n < 2 * STEPS; n++) {
        const struct run_step s = {7, n};

        if (n == STEPS)
            a = evaluation(&r, g, r.params);
        assert_int_equal(train_step(r.plan, &s, rates, &q, &e), 0);
    }
    assert_int_equal(params_store(r.params, g, NULL, &e), 0);
    ps = params_new(g, r.device, &e);
    b = evaluation(&r, g, ps);
    assert_int_equal(plan_run(a, NULL, &e), 0);
    assert_int_equal(plan_run(b, NULL, &e), 0);
    assert_memory_equal(plan_output(a, "logits")->data, plan_output(b, "logits")->data,
                        tensor_bytes(plan_output(a, "logits")));
    plan_free(a);
    plan_free(b);
    params_free(ps);
    toy_end(&r);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profile),
        cmocka_unit_test(test_packed_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
