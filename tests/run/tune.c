/* tune.c -- tests of run/tune.h, on something whose time is known, by a clock
 * that it moves itself.
 * SPDX-License-Identifier: MIT  */
#include "run/tune.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

static int bound, trials, runs, fail_at;
static double now;

/* In place of the library's.  */
double clock_now(void)
{
    return now += 1e-7;
}

struct worker {
    struct tuning t;
};

static void *bind(void *ctx, const struct tuning *t, struct err *e)
{
    struct worker *s = xmalloc(sizeof *s);

    (void)ctx, (void)e;
    s->t = *t;
    bound++;
    return s;
}

static void release(void *p)
{
    bound--;
    free(p);
}

static int same(const void *a, const void *b)
{
    const struct worker *x = a, *y = b;

    return x->t.value[TUNE_WINOGRAD_FAR] == y->t.value[TUNE_WINOGRAD_FAR];
}

/* Twice as many tasks save 3 of 10 ms, four times as many 5; another `far'
 * saves 2, `near' none; ms in MS.  */
static long ms_of(const struct tuning *t)
{
    const int64_t tasks = t->value[TUNE_DIRECT_TASKS];
    const int far = t->value[TUNE_WINOGRAD_FAR] == 40;

    return 10 - (tasks == 8 ? 3 : tasks == 16 ? 5 : 0) - 2 * far;
}

static int once(void *p, struct err *e)
{
    const struct worker *s = p;

    if (++runs == fail_at)
        return err_set(e, ERR_NONFINITE, "as asked");
    now += 1e-3 * (double)ms_of(&s->t);
    return 0;
}

static void tried(void *ctx, const struct tune_trial *t)
{
    int *count = ctx;

    trials++;
    assert_true(t->seconds > 1e-3 && t->ratio > 0);
    if (t->constant >= 0)
        count[t->constant]++;
}

static const struct tune_target target = {NULL, bind, once, same, release};

static void finds(void **state)
{
    int count[TUNE_N] = {0};
    const struct tune_opts o = {.seconds = 0.1, .tried = tried, .ctx = count};
    struct tuning t, want;
    struct err e = {0};

    (void)state;
    tuning_init(&t);
    want = t;
    want.value[TUNE_DIRECT_TASKS] = 16;
    want.value[TUNE_WINOGRAD_FAR] = 40;
    assert_int_equal(tune_search(&target, &o, &t, &e), 0);
    assert_memory_equal(&t, &want, sizeof t);
    assert_int_equal(bound, 0);
    assert_int_equal(count[TUNE_DIRECT_TASKS], 4);
    assert_int_equal(count[TUNE_DIRECT_FEWEST_ROWS], 3); /* none below 1 */
    assert_int_equal(count[TUNE_WINOGRAD_NEAR], 0);      /* nothing changes */
    assert_int_equal(count[TUNE_WGRAD_PASS_BYTES], 0);   /* no training */
}

static void fails(void **state)
{
    int count[TUNE_N] = {0};
    const struct tune_opts o = {.seconds = 0.01, .tried = tried, .ctx = count};
    struct tuning t, was;
    struct err e = {0};

    (void)state;
    tuning_init(&t);
    was = t;
    fail_at = runs + 7;
    assert_int_equal(tune_search(&target, &o, &t, &e), -1);
    assert_int_equal(e.code, ERR_NONFINITE);
    assert_memory_equal(&t, &was, sizeof t);
    assert_int_equal(bound, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds),
                                       cmocka_unit_test(fails)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
