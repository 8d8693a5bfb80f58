/* thread.c -- see thread.h.
 * SPDX-License-Identifier: MIT
 *
 * A thread takes the tasks of its own range one by one, and then those that are
 * left of the others': loops over the same pieces of data meet them in the same
 * caches, and no two threads pull at one counter before the end.
 *
 * A loop is published by making SEQ odd and closed by making it even again.
 * A worker enters by raising ACTIVE and looking at SEQ once more; the caller
 * closes and then waits until ACTIVE is 0.  As both orders are sequentially
 * consistent, either the worker sees the loop closed or the caller sees the
 * worker inside: a sleeper who comes late costs the caller nothing.  */
#include "base/thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#    include <xmmintrin.h>
#endif

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

/* ---- the machine's small things ---- */

static void relax(void)
{
#if defined(__x86_64__)
    _mm_pause();
#endif
}

/* Subnormal numbers are zero inside a loop; returns the mode before.  */
static unsigned flush_subnormals(void)
{
#if defined(__x86_64__)
    const unsigned old = _mm_getcsr();

    _mm_setcsr(old | 0x8040); /* FTZ, DAZ */
    return old;
#elif defined(__aarch64__)
    const unsigned old = __builtin_aarch64_get_fpcr();

    __builtin_aarch64_set_fpcr(old | 1 << 24); /* FZ */
    return old;
#else
    return 0;
#endif
}

static void restore_subnormals(unsigned old)
{
#if defined(__x86_64__)
    _mm_setcsr(old);
#elif defined(__aarch64__)
    __builtin_aarch64_set_fpcr(old);
#else
    (void)old;
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

/* ---- how many ---- */

static int affinity_count(void)
{
    /* the kernel refuses masks smaller than its own */
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        const size_t bytes = CPU_ALLOC_SIZE(cpus);
        int n = -1;

        if (!set)
            break;
        if (sched_getaffinity(0, bytes, set) == 0)
            n = CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
        if (n > 0)
            return n;
        if (errno != EINVAL)
            break;
    }
    return 1;
}

/* The first line of the file DIR/NAME into LINE; 0 if there is none.  */
static int first_line(char line[128], const char *dir, const char *name)
{
    struct str path = {0};
    FILE *f;
    int ok;

    str_printf(&path, "%s/%s", dir, name);
    f = fopen(str_text(&path), "re");
    ok = f && fgets(line, 128, f);
    if (f)
        fclose(f);
    str_release(&path);
    return ok;
}

static int64_t number(const char *line)
{
    return strtoll(line, NULL, 10); /* 0 for "max" */
}

/* The quota of one folder in threads, rounded up; INT32_MAX if none.  */
static int64_t folder_quota(const char *dir)
{
    char line[128];
    int64_t quota = 0, period = 0;

    if (first_line(line, dir, "cpu.max")) {
        const char *const blank = strchr(line, ' ');

        quota = number(line);
        period = blank ? number(blank) : 0;
    } else if (first_line(line, dir, "cpu.cfs_quota_us")) {
        quota = number(line);
        period = first_line(line, dir, "cpu.cfs_period_us") ? number(line) : 0;
    }
    return quota > 0 && period > 0 ? (quota - 1) / period + 1 : INT32_MAX;
}

/* The least quota of PATH below MOUNT and all folders above it.  */
static int64_t path_quota(const char *mount, char *path)
{
    int64_t least = INT32_MAX;

    for (;;) {
        struct str dir = {0};
        char *slash = strrchr(path, '/');
        int64_t q;

        str_printf(&dir, "%s%s", mount, path);
        q = folder_quota(str_text(&dir));
        str_release(&dir);
        least = q < least ? q : least;
        if (!slash || !*path)
            return least;
        *slash = 0;
    }
}

/* CONTROLLERS, a list with commas, holds "cpu".  */
static int has_cpu(const char *controllers)
{
    return !strcmp(controllers, "cpu") || str_starts(controllers, "cpu,") ||
           str_ends(controllers, ",cpu") || str_match("*,cpu,*", controllers);
}

/* The quota of the group that one line of /proc/self/cgroup names:
 * ID:CONTROLLERS:PATH, without controllers in version 2.  */
static int64_t line_quota(char *line, const char *root)
{
    static const char *const v1[] = {"/cpu", "/cpu,cpuacct"};
    char *what = strchr(line, ':'), *path = what ? strchr(what + 1, ':') : NULL;
    int64_t least = INT32_MAX;

    if (!path)
        return least;
    *path++ = 0;
    path[strcspn(path, "\n")] = 0;
    if (!what[1])
        return path_quota(root, path);
    for (size_t i = 0; has_cpu(what + 1) && i < COUNT(v1); i++) {
        struct str mount = {0};
        char *copy = xstrdup(path);
        int64_t q;

        str_printf(&mount, "%s%s", root, v1[i]);
        q = path_quota(str_text(&mount), copy);
        least = q < least ? q : least;
        str_release(&mount);
        free(copy);
    }
    return least;
}

/* The least quota of the groups that the file LIST names, mounted below
 * ROOT; INT32_MAX if there is none.  */
static int64_t groups_quota(const char *list, const char *root)
{
    FILE *f = fopen(list, "re");
    int64_t least = INT32_MAX;
    char line[4096];

    while (f && fgets(line, sizeof line, f)) {
        const int64_t q = line_quota(line, root);

        least = q < least ? q : least;
    }
    if (f)
        fclose(f);
    return least;
}

int thread_count_available(void)
{
    const int64_t quota = groups_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    const int cpus = affinity_count();

    return quota < cpus ? (int)quota : cpus;
}

/* ---- the pool ---- */

struct pool {
    _Alignas(64) _Atomic uint32_t seq; /* odd: a loop is open */
    _Atomic uint32_t sleepers;
    _Alignas(64) _Atomic uint32_t active; /* workers inside the loop */
    _Atomic uint32_t waiting;             /* the caller sleeps on ACTIVE */
    _Atomic int quit;
    /* the loop; written only while it is closed and nobody is inside */
    pool_fn *f;
    void *ctx;
    struct range {
        _Alignas(64) _Atomic int64_t next; /* its first task not yet taken */
        int64_t end;
    } * range; /* [n_threads] */
    int n_threads, spin;
    struct worker {
        struct pool *pool;
        pthread_t id;
        int thread;
    } * worker; /* [n_threads - 1] */
};

/* Which task this thread is inside, so that loops within it run serially.  */
static _Thread_local struct {
    const struct pool *pool;
    int thread;
} inside;

static const double SPIN_S = 60e-6;

/* Wait until *WORD is not VALUE, but not longer than a short while.  */
static void spin_while(const struct pool *p, _Atomic uint32_t *word,
                       uint32_t value)
{
    const double end = p->spin ? clock_now() + SPIN_S : 0;

    if (!p->spin)
        return;
    do
        for (int i = 0; i < 64; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != value)
                return;
            relax();
        }
    while (clock_now() < end);
}

/* Its own, then those that the others have left.  */
static void take_tasks(struct pool *p, int thread)
{
    inside.pool = p;
    inside.thread = thread;
    for (int t = 0; t < p->n_threads; t++) {
        struct range *r = &p->range[(thread + t) % p->n_threads];

        while (atomic_load(&r->next) < r->end) {
            const int64_t i = atomic_fetch_add(&r->next, 1);

            if (i < r->end)
                p->f(p->ctx, i, thread);
        }
    }
    inside.pool = NULL;
}

/* Returns a value of SEQ other than SEEN.  */
static uint32_t next_seq(struct pool *p, uint32_t seen)
{
    uint32_t s;

    spin_while(p, &p->seq, seen);
    while ((s = atomic_load(&p->seq)) == seen) {
        atomic_fetch_add(&p->sleepers, 1);
        futex_wait(&p->seq, seen);
        atomic_fetch_sub(&p->sleepers, 1);
    }
    return s;
}

static void *work(void *arg)
{
    const struct worker *w = arg;
    struct pool *p = w->pool;
    uint32_t seen = 0;

    flush_subnormals();
    while (seen = next_seq(p, seen), !atomic_load(&p->quit)) {
        if (!(seen & 1))
            continue;
        atomic_fetch_add(&p->active, 1);
        if (atomic_load(&p->seq) == seen)
            take_tasks(p, w->thread);
        if (atomic_fetch_sub(&p->active, 1) == 1 && atomic_load(&p->waiting))
            futex_wake(&p->active, 1);
    }
    return NULL;
}

/* Signals go to the thread of the command; faults stay where they are.  */
static void block_signals(sigset_t *old)
{
    static const int fault[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                SIGTRAP, SIGABRT, SIGPROF};
    sigset_t all;

    sigfillset(&all);
    for (size_t i = 0; i < COUNT(fault); i++)
        sigdelset(&all, fault[i]);
    pthread_sigmask(SIG_BLOCK, &all, old);
}

/* Zeros, in lines of the cache.  */
static void *lines(size_t bytes)
{
    void *p = aligned_alloc(64, bytes);

    return memset(p ? p : xmalloc(SIZE_MAX) /* says so and ends */, 0, bytes);
}

struct pool *pool_new(int n)
{
    const int cpus = thread_count_available();
    struct pool *p = lines(sizeof *p);
    sigset_t old;

    n = n > 0 ? n : cpus;
    p->range = lines((size_t)n * sizeof *p->range);
    p->spin = n <= cpus;
    p->n_threads = 1;
    p->worker = xcalloc((size_t)n, sizeof *p->worker);
    block_signals(&old);
    for (; p->n_threads < n; p->n_threads++) {
        struct worker *w = &p->worker[p->n_threads - 1];

        w->pool = p;
        w->thread = p->n_threads;
        if (pthread_create(&w->id, NULL, work, w) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    atomic_store(&p->quit, 1);
    atomic_fetch_add(&p->seq, 2);
    futex_wake(&p->seq, INT32_MAX);
    for (int i = 0; i < p->n_threads - 1; i++)
        pthread_join(p->worker[i].id, NULL);
    free(p->worker);
    free(p->range);
    free(p);
}

int pool_threads(const struct pool *p)
{
    return p ? p->n_threads : 1;
}

/* Of N tasks thread T has those from here on: the caller one at least.  */
static int64_t range_start(int64_t n, int threads, int t)
{
    return n / threads * t + (n % threads * t + threads - 1) / threads;
}

static void open_loop(struct pool *p, int64_t n, pool_fn *f, void *ctx)
{
    uint32_t asleep;

    p->f = f;
    p->ctx = ctx;
    for (int t = 0; t < p->n_threads; t++) {
        atomic_store(&p->range[t].next, range_start(n, p->n_threads, t));
        p->range[t].end = range_start(n, p->n_threads, t + 1);
    }
    atomic_fetch_add(&p->seq, 1);
    asleep = atomic_load(&p->sleepers);
    if (asleep)
        futex_wake(&p->seq, n - 1 < asleep ? (int)(n - 1) : (int)asleep);
}

static void close_loop(struct pool *p)
{
    uint32_t a;

    atomic_fetch_add(&p->seq, 1);
    while ((a = atomic_load(&p->active)) != 0) {
        spin_while(p, &p->active, a);
        if (atomic_load(&p->active) != a)
            continue;
        atomic_store(&p->waiting, 1);
        futex_wait(&p->active, a);
        atomic_store(&p->waiting, 0);
    }
}

static void run_serially(int64_t n, pool_fn *f, void *ctx, int thread)
{
    for (int64_t i = 0; i < n; i++)
        f(ctx, i, thread);
}

void pool_run(struct pool *p, int64_t n, pool_fn *f, void *ctx)
{
    const unsigned old = flush_subnormals();

    if (p && inside.pool == p) {
        run_serially(n, f, ctx, inside.thread);
    } else if (!p || p->n_threads == 1 || n <= 1 || inside.pool) {
        run_serially(n, f, ctx, 0);
    } else {
        open_loop(p, n, f, ctx);
        take_tasks(p, 0);
        close_loop(p);
    }
    restore_subnormals(old);
}

struct loops {
    const struct loop *loop;
};

static void run_one_of(void *ctx, int64_t task, int thread)
{
    const struct loop *l = ((const struct loops *)ctx)->loop;

    for (; task >= l->n; l++)
        task -= l->n;
    l->f(l->ctx, task, thread);
}

void pool_run_all(struct pool *p, const struct loop *loop, int loops)
{
    struct loops all = {loop};
    int64_t n = 0;

    for (int i = 0; i < loops; i++)
        n += loop[i].n;
    if (loops == 1)
        pool_run(p, n, loop->f, loop->ctx);
    else
        pool_run(p, n, run_one_of, &all);
}

/* ---- one thread more ---- */

struct thread {
    pthread_t id;
    thread_fn *f;
    void *ctx;
    int started;
};

static void *begin(void *arg)
{
    const struct thread *t = arg;

    t->f(t->ctx);
    return NULL;
}

struct thread *thread_start(thread_fn *f, void *ctx)
{
    struct thread *t = xcalloc(1, sizeof *t);
    sigset_t old;

    t->f = f;
    t->ctx = ctx;
    block_signals(&old);
    t->started = pthread_create(&t->id, NULL, begin, t) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!t->started)
        f(ctx);
    return t;
}

void thread_join(struct thread *t)
{
    if (t && t->started)
        pthread_join(t->id, NULL);
    free(t);
}
