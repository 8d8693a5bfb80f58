/* dropout.c -- dropout on several threads; each block of the generator is drawn
 * once for its four numbers.
 * SPDX-License-Identifier: MIT  */
#include "base/thread.h"
#include "cpu/kernels.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { CHUNK = 4096, WORDS = 4 };

struct dropout {
    const struct rng *rng;
    const float *x;
    float *y;
    int64_t count;
    double rate, scale;
};

/* As lib/op/dropout.c, to the bit.  */
static void task(void *dropout, int64_t chunk, int thread)
{
    const struct dropout *d = dropout;
    const int64_t first = chunk * CHUNK;
    const int64_t end = first + CHUNK < d->count ? first + CHUNK : d->count;
    float u[WORDS];

    (void)thread;
    for (int64_t i = first; i < end; i++) {
        if (i % WORDS == 0)
            rng_uniform4(d->rng, (uint64_t)(i / WORDS), u);
        d->y[i] = u[i % WORDS] < d->rate ? 0 : (float)(d->x[i] * d->scale);
    }
}

static void run(const struct kernel_args *a)
{
    const int back = a->op.node->dir == DIR_BACKWARD;
    const struct tensor *x = back ? a->op.dout : a->op.in, *y = back ? a->op.din : a->op.out;
    struct dropout d = {&a->op.rng, x->data, y->data, tensor_count(x)};

    d.rate = attr_real(a->op.node, "rate");
    d.scale = d.rate < 1 ? 1 / (1 - d.rate) : 0;
    pool_run(a->pool, (d.count + CHUNK - 1) / CHUNK, task, &d);
}

static int accepts(const struct step_nodes *s)
{
    return s->node[0]->train;
}

#define DROPOUT(d)                                                              \
    {                                                                           \
        .name = "dropout", .op = "dropout", .dir = d, .dtypes = 1 << DTYPE_F32, \
        .accepts = accepts, .run = run                                          \
    }

const struct kernel dropout_kernels[] = {DROPOUT(DIR_FORWARD), DROPOUT(DIR_BACKWARD), {0}};
