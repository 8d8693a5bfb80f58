/* optim.c -- steps of the optimisers and of averages, a chunk of a parameter at
 * a time; the norm of all gradients.
 * SPDX-License-Identifier: MIT  */
#include <math.h>

#include "base/thread.h"
#include "cpu/kernels.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum {
    CHUNK = 16384,
    OPERANDS = 8,
    LR = 2,
    EMA_SHARE = 2,
    SGD_SCALE = 4,
    ADAMW_T = 5,
    ADAMW_SCALE
};

/* The reference on elements [from, to): the same arithmetic, so the same
 * bits.  Each chunk has numbers of its own, as adamw counts its steps in one.  */
struct step {
    const struct kernel_args *a;
    int64_t count;
    unsigned numbers; /* bit i: operand i is one number, not one per element */
};

static void part_task(void *step, int64_t task, int thread)
{
    const struct step *s = step;
    struct tensor in[OPERANDS];
    float number[OPERANDS];
    struct op_args a = s->a->op;
    const int64_t from = task * CHUNK, n = s->count - from < CHUNK ? s->count - from : CHUNK;

    (void)thread;
    for (int i = 0; i < a.node->n_in; i++) {
        in[i] = a.in[i];
        if (!in[i].data)
            continue;
        if (s->numbers >> i & 1) {
            number[i] = *(const float *)a.in[i].data;
            in[i].data = &number[i];
        } else {
            in[i].data = (float *)in[i].data + from;
            in[i].shape = shape_make(1, &n);
        }
    }
    a.in = in;
    a.node->op->update(&a);
}

static void update(const struct kernel_args *a, unsigned numbers)
{
    struct step s = {a, tensor_count(&a->op.in[0]), numbers};

    pool_run(a->pool, (s.count + CHUNK - 1) / CHUNK, part_task, &s);
}

static void sgd(const struct kernel_args *a)
{
    update(a, 1 << LR | 1 << SGD_SCALE);
}

static void adamw(const struct kernel_args *a)
{
    update(a, 1 << LR | 1 << ADAMW_T | 1 << ADAMW_SCALE);
    *(float *)a->op.in[ADAMW_T].data += 1;
}

static void ema(const struct kernel_args *a)
{
    update(a, 1 << EMA_SHARE);
}

/* ---- the norm of all gradients ---- */

enum { SQUARES = 4096, CHAINS = 16 };

/* Chunks of the arrays, one after the other.  */
struct norm {
    const struct tensor *x;
    const int64_t *first; /* chunk of each array; behind the last their number */
    double *sum;
};

/* In chains side by side, for the compiler to put into vectors.  */
static double squares(const float *x, int64_t n)
{
    float chain[CHAINS] = {0};
    double sum = 0;
    int64_t i = 0;

    for (; i + CHAINS <= n; i += CHAINS)
        for (int k = 0; k < CHAINS; k++)
            chain[k] += x[i + k] * x[i + k];
    for (int k = 0; k < CHAINS; k++)
        sum += chain[k];
    for (; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static void norm_task(void *ctx, int64_t array, int thread)
{
    const struct norm *m = ctx;
    const int64_t count = tensor_count(&m->x[array]);
    const float *x = m->x[array].data;

    (void)thread;
    for (int64_t i = 0; i < count; i += SQUARES)
        m->sum[m->first[array] + i / SQUARES] =
            squares(x + i, count - i < SQUARES ? count - i : SQUARES);
}

static int64_t chunks_of(const struct tensor *t)
{
    return (tensor_count(t) + SQUARES - 1) / SQUARES;
}

static size_t norm_scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    int64_t chunks = 0;

    (void)threads;
    for (int i = 0; i < n->n_in; i++)
        chunks += (shape_count(&n->in[i]->shape) + SQUARES - 1) / SQUARES;
    return (size_t)(chunks + n->n_in + 1) * sizeof(double);
}

static void norm_forward(const struct kernel_args *a)
{
    const int n = a->op.node->n_in;
    int64_t *first = a->scratch;
    struct norm m = {a->op.in, first, (double *)(first + n + 1)};
    double sum = 0;

    first[0] = 0;
    for (int i = 0; i < n; i++)
        first[i + 1] = first[i] + chunks_of(&a->op.in[i]);
    pool_run(a->pool, n, norm_task, &m);
    for (int64_t i = 0; i < first[n]; i++)
        sum += m.sum[i];
    *(float *)a->op.out[0].data = (float)sqrt(sum);
}

/* clang-format off */
#define UPDATE(f) {.name = "optim_" #f, .op = #f, .dir = DIR_UPDATE, \
                   .dtypes = 1 << DTYPE_F32, .run = f}

const struct kernel optim_kernels[] = {
    UPDATE(sgd), UPDATE(adamw), UPDATE(ema),
    {.name = "optim_gradnorm", .op = "gradnorm", .dtypes = 1 << DTYPE_F32, .scratch = norm_scratch,
     .run = norm_forward},
    {0},
};
/* clang-format on */
