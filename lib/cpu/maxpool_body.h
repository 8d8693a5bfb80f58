/* maxpool_body.h -- max-pooling without argmax, for evaluation; compiled once
 * per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * The rows under a window are joined first, then neighbours in the row; steps
 * of 1 and 2 by vectors.  A NaN wins, as in the reference.  */
#include <math.h>

#include "base/thread.h"
#include "cpu/kernels.h"
#include "cpu/vec.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

struct planes {
    struct window w;
    const float *x;
    float *y, *rows; /* a row for each thread */
    int64_t row;     /* floats of it: with padding and a rest */
};

/* Nobody asks where the largest number was.  */
static int accepts(const struct step_nodes *s)
{
    const struct value *argmax = s->node[0]->out[1];
    int count;
    const int64_t *step = attr_ints(s->node[0], "stride", &count);

    return step[1] <= 2 && !argmax->n_use && !value_is_output(s->node[0]->graph, argmax);
}

static int64_t row_floats(const struct window *w)
{
    return (w->out[1] + VL) * w->stride[1] + w->kernel[1] + 3 * VL;
}

static struct window window_at(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape x = shape_bind(n->in[0]->shape, s->batch);
    const struct shape y = shape_bind(n->out[0]->shape, s->batch);

    return window_of(n, &x, &y);
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct window w = window_at(s);

    return (size_t)(row_floats(&w) * threads) * sizeof(float);
}

/* The rows under window row I, between padding that never wins.  */
static void join_rows(const struct window *w, const float *x, int64_t i, float *row, int64_t floats)
{
    int64_t h, lo, hi;
    float *to = row + w->pad[1];

    window_taps(w, 0, i, &h, &lo, &hi);
    for (int64_t j = 0; j < floats; j++)
        row[j] = -INFINITY;
    for (int64_t r = lo; r < hi; r++) {
        const float *from = x + (h + r) * w->in[1];
        int64_t j = 0;

        for (; j + VL <= w->in[1]; j += VL)
            vf_store(to + j, vf_larger(vf_load(to + j), vf_load(from + j)));
        if (j < w->in[1])
            vf_store_n(to + j, vf_larger(vf_load(to + j), vf_load_n(from + j, w->in[1] - j)),
                       w->in[1] - j);
    }
}

/* Outputs J... of a joined row.  */
INLINE vf join_columns(const struct window *w, const float *row, int64_t j)
{
    vf m = VF1(-INFINITY);

    for (int64_t s = 0; s < w->kernel[1]; s++) {
        const float *p = row + j * w->stride[1] + s;

        m = vf_larger(m, w->stride[1] == 1 ? vf_load(p) : vf_even(vf_load(p), vf_load(p + VL)));
    }
    return m;
}

static void task(void *planes, int64_t plane, int thread)
{
    const struct planes *p = planes;
    const struct window *w = &p->w;
    const float *x = p->x + plane * w->in[0] * w->in[1];
    float *y = p->y + plane * w->out[0] * w->out[1], *row = p->rows + thread * p->row;

    for (int64_t i = 0; i < w->out[0]; i++, y += w->out[1]) {
        int64_t j = 0;

        join_rows(w, x, i, row, p->row);
        for (; j + VL <= w->out[1]; j += VL)
            vf_store(y + j, join_columns(w, row, j));
        if (j < w->out[1])
            vf_store_n(y + j, join_columns(w, row, j), w->out[1] - j);
    }
}

static void run(const struct kernel_args *a)
{
    const struct shape *x = &a->op.in[0].shape;
    struct planes p = {.x = a->op.in[0].data, .y = a->op.out[0].data, .rows = a->scratch};

    p.w = window_at(a->step);
    p.row = row_floats(&p.w);
    pool_run(a->pool, x->dim[0] * x->dim[1], task, &p);
}

const struct kernel ISA(maxpool_kernels)[] = {
    {
        .name = "maxpool_" ISA_NAME,
        .op = "maxpool2d",
        .dir = DIR_FORWARD,
        .isa = ISA_BITS,
        .dtypes = 1 << DTYPE_F32,
        .accepts = accepts,
        .scratch = scratch,
        .run = run,
    },
    {0},
};
