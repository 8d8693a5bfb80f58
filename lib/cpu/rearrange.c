/* rearrange.c -- a value from one layout to the other, by threads.
 * SPDX-License-Identifier: MIT  */
#include "cpu/rearrange.h"

#include "base/thread.h"

struct job {
    const struct tensor *x, *y;
    enum layout from;
    int64_t groups, per_task;
};

enum { TASK_BYTES = 64 << 10 };

static void copy_task(void *job, int64_t task, int thread)
{
    const struct job *j = job;
    const size_t size = dtype_size(j->x->dtype);
    const int64_t at = task * j->per_task;
    const int64_t end = at + j->per_task < j->groups ? at + j->per_task : j->groups;

    (void)thread;
    if (j->from == LAYOUT_PLAIN)
        layout_block(&j->x->shape, size, j->x->data, j->y->data, at, end);
    else
        layout_unblock(&j->x->shape, size, j->x->data, j->y->data, at, end);
}

void rearrange(const struct tensor *x, enum layout from, const struct tensor *y, struct pool *pool)
{
    struct job j = {x, y, from, layout_groups(&x->shape), 1};
    const int64_t bytes = (int64_t)tensor_bytes(x) / j.groups;

    if (bytes < TASK_BYTES)
        j.per_task = TASK_BYTES / (bytes ? bytes : 1);
    pool_run(pool, (j.groups + j.per_task - 1) / j.per_task, copy_task, &j);
}
