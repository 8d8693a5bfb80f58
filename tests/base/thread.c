/* thread.c -- tests of lib/base/thread.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* the whole of it: the reading of quotas has no door of its own */
#include "base/thread.c"

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

/* Loops of 0, 3, 1 and 200 tasks as one, and none of them.  */
struct meeting {
    _Atomic int here;
    _Atomic int late; /* tasks that others than their own thread did */
    int64_t n;
};

/* Nobody leaves before all have come.  */
static void meet(void *ctx, int64_t task, int thread)
{
    struct meeting *m = ctx;

    m->here++;
    while (m->here < m->n)
        sched_yield();
    if (task != thread)
        m->late++;
}

/* Thread t begins with the t'th part: the same data meets the same cache in
 * each loop.  */
static void test_own_part_first(void **state)
{
    struct pool *p = pool_new(5);

    (void)state;
    for (int i = 0; i < 50; i++) {
        struct meeting m = {.n = pool_threads(p)};

        pool_run(p, m.n, meet, &m);
        assert_int_equal(m.late, 0);
    }
    pool_free(p);
}

/* The first task ends when all others have.  */
static void wait_for_all(void *ctx, int64_t task, int thread)
{
    struct meeting *m = ctx;

    (void)thread;
    while (!task && m->here < m->n - 1)
        sched_yield();
    m->here++;
}

/* What a thread that is held up has left, others do.  */
static void test_left_parts(void **state)
{
    struct pool *p = pool_new(3);
    struct meeting m = {.n = 100};

    (void)state;
    if (pool_threads(p) > 1)
        pool_run(p, m.n, wait_for_all, &m);
    pool_free(p);
}

static void test_loops_as_one(void **state)
{
    static const int64_t n[] = {0, 3, 1, 200};
    enum { LOOPS = sizeof n / sizeof *n };
    struct job *j = calloc(LOOPS, sizeof *j);
    struct loop loop[LOOPS];

    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        struct pool *p = pool_new(threads);

        for (int i = 0; i < LOOPS; i++) {
            j[i] = (struct job){.threads = threads};
            loop[i] = (struct loop){n[i], touch, &j[i]};
        }
        pool_run_all(p, loop, LOOPS);
        pool_run_all(p, loop + 3, 1);
        pool_run_all(p, loop, 0);
        for (int i = 0; i < LOOPS; i++) {
            assert_int_equal(j[i].bad, 0);
            for (int64_t k = 0; k < N; k++)
                assert_int_equal(j[i].ran[k], (k < n[i]) << (i == 3));
        }
        pool_free(p);
    }
    free(j);
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
#if defined(__x86_64__) || defined(__aarch64__)
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
    skip(); /* not promised */
#endif
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* Groups as the kernel shows them, in a folder of our own.  */
static void test_quota(void **state)
{
    static const struct {
        const char *groups, *quota, *period;
        const char *v2, *above;
        int64_t want;
    } row[] = {
        {"0::/a/b\n", "-1", "100000", "max 100000", "max 100000", INT32_MAX},
        {"0::/a/b\n", "-1", "100000", "200000 100000", "max 100000", 2},
        {"0::/a/b\n", "-1", "100000", "150000 100000", "max 100000", 2},
        {"0::/a/b\n", "-1", "100000", "1000 100000", "max 100000", 1},
        {"0::/a/b\n", "-1", "100000", "800000 100000", "300000 100000", 3},
        {"0::/a/gone\n", "-1", "100000", "100000 100000", "300000 100000", 3},
        {"0::/\n", "-1", "100000", "100000 100000", "100000 100000", INT32_MAX},
        {"0::/a/b\n", "-1", "100000", "", "", INT32_MAX},
        {"0::/a/b\n", "-1", "100000", "100000", "5 0", INT32_MAX},
        {"4:memory:/a\n3:cpu,cpuacct:/a\n", "400000", "100000", "", "", 4},
        {"3:cpuset,cpu:/a\n", "400000", "100000", "", "", 4},
        {"3:cpu:/a\n0::/a/b\n", "400000", "100000", "100000 100000", "", 1},
        {"3:cpuset,cpuacct:/a\n", "400000", "100000", "", "", INT32_MAX},
        {"3:cpu:/a\n", "-1", "100000", "", "", INT32_MAX},
        {"rubbish\n\n:\n::\n", "100000", "100000", "", "", INT32_MAX},
    };
    static const char *const dir[] = {"a", "a/b", "cpu", "cpu/a"};
    static const char *const file[] = {"a/b/cpu.max", "a/cpu.max",
                                       "cpu/a/cpu.cfs_quota_us",
                                       "cpu/a/cpu.cfs_period_us", "groups"};
    char root[] = "/tmp/adze-thread-XXXXXX";

    (void)state;
    assert_true(mkdtemp(root) && chdir(root) == 0);
    for (size_t i = 0; i < 4; i++)
        mkdir(dir[i], 0700);
    for (size_t i = 0; i < COUNT(row); i++) {
        put(file[0], row[i].v2);
        put(file[1], row[i].above);
        put(file[2], row[i].quota);
        put(file[3], row[i].period);
        put(file[4], row[i].groups);
        if (groups_quota("groups", root) != row[i].want)
            fail_msg("row %zu", i);
    }
    assert_true(groups_quota("nothing", root) == INT32_MAX);
    for (size_t i = 0; i < 5; i++)
        unlink(file[i]);
    for (size_t i = 4; i--;)
        rmdir(dir[i]);
    assert_true(chdir("/") == 0 && rmdir(root) == 0);
}

static void test_affinity(void **state)
{
    cpu_set_t all, one;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(thread_count_available(), 1);
    sched_setaffinity(0, sizeof all, &all);
    assert_true(thread_count_available() <= CPU_COUNT(&all));
}

/* Where no thread can be made, the caller does the work.  */
static void test_no_threads(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)state; /* they need address space of their own */
#else
    const pid_t pid = fork();
    int status;

    (void)state;
    if (!pid) {
        const struct rlimit r = {64 << 20, 64 << 20};
        struct pool *p;

        setrlimit(RLIMIT_AS, &r);
        /* an emulator does not mind the limit */
        if (mmap(NULL, 128 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                 0) != MAP_FAILED)
            _exit(2);
        p = pool_new(64); /* stacks of 8 MB do not fit */
        if (pool_threads(p) > 8)
            _exit(1);
        check_all(p, 100);
        pool_free(p);
        _exit(0);
    }
    assert_true(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    if (WEXITSTATUS(status) == 2)
        skip();
    assert_int_equal(status, 0);
#endif
}

static void on_signal(int sig)
{
    (void)sig;
}

static _Atomic int wrong_thread;

static void look_at_mask(void *ctx, int64_t task, int thread)
{
    sigset_t mask;

    (void)ctx;
    (void)task;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (sigismember(&mask, SIGTERM) != (thread > 0) ||
        sigismember(&mask, SIGSEGV) || sigismember(&mask, SIGBUS))
        wrong_thread = 1;
}

/* Signals are for the caller's thread.  */
static void test_signals(void **state)
{
    struct pool *p = pool_new(4);

    (void)state;
    signal(SIGTERM, on_signal);
    for (int i = 0; i < 50; i++)
        pool_run(p, 64, look_at_mask, NULL);
    assert_int_equal(wrong_thread, 0);
    pool_free(p);
    signal(SIGTERM, SIG_DFL);
}

/* One thread more may call a pool, and its work is seen when it has ended.  */
static void count_tasks(void *ctx, int64_t task, int thread)
{
    (void)task;
    (void)thread;
    atomic_fetch_add((_Atomic int *)ctx, 1);
}

struct other {
    struct pool *pool;
    _Atomic int done;
};

static void run_other(void *ctx)
{
    struct other *o = ctx;

    pool_run(o->pool, 100, count_tasks, &o->done);
}

static void test_one_more(void **state)
{
    struct other o = {.pool = pool_new(2)};
    struct thread *t = thread_start(run_other, &o);

    (void)state;
    thread_join(t);
    assert_int_equal(o.done, 100);
    thread_join(NULL);
    pool_free(o.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_once),
        cmocka_unit_test(test_own_part_first),
        cmocka_unit_test(test_left_parts),
        cmocka_unit_test(test_many_loops),
        cmocka_unit_test(test_loops_as_one),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_subnormals),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_affinity),
        cmocka_unit_test(test_one_more),
        cmocka_unit_test(test_no_threads),
        cmocka_unit_test(test_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
