/* optim.c -- steps of the optimisers, a chunk of a parameter at a time.
 * SPDX-License-Identifier: MIT  */
#include <math.h>

#include "base/thread.h"
#include "cpu/kernels.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { CHUNK = 16384 };

/* The reference on rows [from, to): the same arithmetic, so the same bits.  */
struct step {
    const struct kernel_args *a;
    int64_t count;
    int whole; /* bit i: operand i is one number, not a row per element */
};

static void part_task(void *step, int64_t task, int thread)
{
    const struct step *s = step;
    struct tensor in[8];
    struct op_args a = s->a->op;
    const int64_t from = task * CHUNK, n = s->count - from < CHUNK ? s->count - from : CHUNK;

    (void)thread;
    for (int i = 0; i < a.node->n_in; i++) {
        in[i] = a.in[i];
        if (s->whole >> i & 1)
            continue;
        in[i].data = (float *)in[i].data + from;
        in[i].shape = shape_make(1, &n);
    }
    a.in = in;
    a.node->op->update(&a);
}

static void update(const struct kernel_args *a, int whole)
{
    struct step s = {a, tensor_count(&a->op.in[0]), whole};

    pool_run(a->pool, (s.count + CHUNK - 1) / CHUNK, part_task, &s);
}

static void sgd(const struct kernel_args *a)
{
    update(a, 1 << 2);
}

/* clang-format off */
#define UPDATE(f) {.name = "optim_" #f, .op = #f, .dir = DIR_UPDATE, \
                   .dtypes = 1 << DTYPE_F32, .run = f}

const struct kernel optim_kernels[] = {UPDATE(sgd), {0}};
/* clang-format on */
