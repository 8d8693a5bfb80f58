/* thread.h -- one pool of threads for the whole program.
 * SPDX-License-Identifier: MIT
 *
 * A loop of N independent tasks is run by all threads of a pool, the caller
 * among them.  Which thread runs which task is not defined; a result must
 * never depend on it, nor on the number of threads.  Speed may: thread t begins
 * with the t'th part of the tasks, and takes over what others are late with.
 *
 *     struct pool *p = pool_new(0);
 *     pool_run(p, n_tasks, work, ctx);
 *     pool_free(p);
 *
 * Inside a loop subnormal numbers are zero (on x86-64 and arm64), in the
 * caller too: results are defined that way.
 *
 * Threads spin for a short while after a loop, then sleep.  They block all
 * signals but those of faults.  */
#ifndef ADZE_BASE_THREAD_H
#define ADZE_BASE_THREAD_H

#include <stdint.h>

struct err;
struct pool;

/* The threads that this process may use: the affinity mask, cut by the
 * cgroup's cpu.max (v2) or cpu.cfs_quota_us (v1), at least 1.  */
int thread_count_available(void);

/* A pool of N threads with the caller as one of them; N = 0 takes
 * thread_count_available().  If fewer can be started, it runs with those.
 * Never fails for N = 1.  A pool is used by one caller at a time.  */
struct pool *pool_new(int n);
void pool_free(struct pool *p);

/* Number of threads; P may be NULL, which is a pool of one.  */
int pool_threads(const struct pool *p);

/* Call F(ctx, task, thread) for each TASK in [0, N); thread < pool_threads()
 * and no two running calls share one.  Returns when all are done.  Calls from
 * inside a task run the loop serially as thread THREAD's own.  */
typedef void pool_fn(void *ctx, int64_t task, int thread);
void pool_run(struct pool *p, int64_t n, pool_fn *f, void *ctx);

/* LOOPS of them as one: all tasks are independent, and no thread waits where
 * one loop ends.  */
struct loop {
    int64_t n;
    pool_fn *f;
    void *ctx;
};
void pool_run_all(struct pool *p, const struct loop *loop, int loops);

/* One thread more, which runs F(CTX); where none can be started, F has been run
 * on return.  It blocks signals as those of a pool do, and may be the caller of
 * a pool.  */
struct thread;
typedef void thread_fn(void *ctx);
struct thread *thread_start(thread_fn *f, void *ctx);
/* Wait for its end; T may be NULL.  */
void thread_join(struct thread *t);

#endif
