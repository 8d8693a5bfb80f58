/* thread.c -- tests of lib/base/thread.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/thread.h"

enum { N = 1000 };

struct job {
    _Atomic int ran[N];
    _Atomic int busy[64]; /* is THREAD inside a task */
    _Atomic int bad;
    int threads;
    struct pool *pool;
};

static void touch(void *ctx, int64_t task, int thread)
{
    struct job *j = ctx;

    if (thread < 0 || thread >= j->threads ||
        atomic_exchange(&j->busy[thread], 1))
        j->bad = 1;
    j->ran[task]++;
    atomic_store(&j->busy[thread], 0);
}

static void check_all(struct pool *p, int64_t n)
{
    struct job *j = calloc(1, sizeof *j);

    j->threads = pool_threads(p);
    pool_run(p, n, touch, j);
    assert_int_equal(j->bad, 0);
    for (int64_t i = 0; i < N; i++)
        assert_int_equal(j->ran[i], i < n);
    free(j);
}

static void test_every_task_once(void **state)
{
    static const int threads[] = {1, 2, 3, 8, 33};
    static const int64_t n[] = {0, 1, 2, 3, 100, N};

    (void)state;
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        struct pool *p = pool_new(threads[t]);

        assert_int_equal(pool_threads(p), threads[t]);
        for (size_t k = 0; k < sizeof n / sizeof *n; k++)
            check_all(p, n[k]);
        pool_free(p);
    }
    check_all(NULL, 10);
    pool_free(NULL);
}

/* Short loops with and without pauses: workers are met awake and asleep.  */
static void test_many_loops(void **state)
{
    const struct timespec pause = {.tv_nsec = 300000};
    struct pool *p = pool_new(3);

    (void)state;
    assert_true(thread_count_available() >= 1);
    for (int i = 0; i < 2000; i++) {
        check_all(p, i % 7);
        if (i % 16 == 0)
            nanosleep(&pause, NULL);
    }
    pool_free(p);
}

static void inner(void *ctx, int64_t task, int thread)
{
    struct job *j = ctx;

    (void)task;
    if (!atomic_load(&j->busy[thread]))
        j->bad = 1; /* another thread than that of the outer task */
    j->ran[0]++;
}

static void outer(void *ctx, int64_t task, int thread)
{
    struct job *j = ctx;

    (void)task;
    if (atomic_exchange(&j->busy[thread], 1))
        j->bad = 1;
    pool_run(j->pool, 10, inner, j);
    atomic_store(&j->busy[thread], 0);
}

static void test_nested(void **state)
{
    struct job *j = calloc(1, sizeof *j);

    (void)state;
    j->pool = pool_new(4);
    pool_run(j->pool, 50, outer, j);
    assert_int_equal(j->ran[0], 500);
    assert_int_equal(j->bad, 0);
    pool_free(j->pool);
    free(j);
}

static void halve(void *ctx, int64_t task, int thread)
{
    volatile float *v = ctx;

    (void)thread;
    v[task] = v[task] / 2;
}

/* Inside loops subnormals are flushed, on every path; outside they are not. */
static void test_subnormals(void **state)
{
#if defined(__x86_64__)
    volatile float v[64];

    (void)state;
    for (int threads = 1; threads < 4; threads++) {
        struct pool *p = pool_new(threads);

        for (int i = 0; i < 64; i++)
            v[i] = FLT_MIN;
        pool_run(p, 64, halve, (void *)(uintptr_t)v);
        for (int i = 0; i < 64; i++)
            assert_true(v[i] == 0);
        v[0] = FLT_MIN;
        v[0] = v[0] / 2;
        assert_true(v[0] > 0);
        pool_free(p);
    }
#else
    (void)state;
    (void)halve;
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_once),
        cmocka_unit_test(test_many_loops),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_subnormals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
