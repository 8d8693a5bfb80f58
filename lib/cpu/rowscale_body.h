/* rowscale_body.h -- rows times a number for each place of the last axis: mul
 * by one such row, scale along the last axis; compiled once per instruction
 * set.
 * SPDX-License-Identifier: MIT
 *
 * The gradient of the row is a sum of float over the rows of a chunk, then of
 * double over the chunks, whose number depends on the shape alone.  */
#include <string.h>

#include "base/thread.h"
#include "cpu/kernels.h"
#include "cpu/vec.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { X, ROW };
enum { CHUNKS = 32, SWEEP = 8192 };

struct rows {
    int64_t n, c, chunk; /* rows, of numbers; rows of a task */
    const float *x, *row, *dy;
    float *y, *sums; /* y: dx in backward; [chunks][c] */
};

static struct rows rows_of(const struct shape *x, int back)
{
    struct rows r = {.c = x->dim[x->rank - 1]};

    r.n = shape_count(x) / r.c;
    r.chunk = back ? (r.n + CHUNKS - 1) / CHUNKS : SWEEP / r.c;
    r.chunk = r.chunk > 1 ? r.chunk : 1;
    return r;
}

static int64_t chunks(const struct rows *r)
{
    return (r->n + r->chunk - 1) / r->chunk;
}

INLINE vf load(const float *p, int64_t n)
{
    return n >= VL ? vf_load(p) : vf_load_n(p, n);
}

INLINE void store(float *p, vf v, int64_t n)
{
    if (n >= VL)
        vf_store(p, v);
    else
        vf_store_n(p, v, n);
}

/* TO = FROM times the row.  */
static void scale_row(const struct rows *r, const float *from, float *to)
{
    for (int64_t i = 0; i < r->c; i += VL)
        store(to + i, load(from + i, r->c - i) * load(r->row + i, r->c - i), r->c - i);
}

static void forward_task(void *rows, int64_t task, int thread)
{
    const struct rows *r = rows;
    const int64_t from = task * r->chunk, end = from + r->chunk < r->n ? from + r->chunk : r->n;

    (void)thread;
    for (int64_t n = from; n < end; n++)
        scale_row(r, r->x + n * r->c, r->y + n * r->c);
}

static void forward(const struct kernel_args *a)
{
    struct rows r = rows_of(&a->op.in[X].shape, 0);

    r.x = a->op.in[X].data;
    r.row = a->op.in[ROW].data;
    r.y = a->op.out[0].data;
    pool_run(a->pool, chunks(&r), forward_task, &r);
}

/* Row N of x dy added to SUMS.  */
static void add_row(const struct rows *r, int64_t n, float *sums)
{
    const float *x = r->x + n * r->c, *dy = r->dy + n * r->c;

    for (int64_t i = 0; i < r->c; i += VL) {
        const int64_t k = r->c - i;

        store(sums + i, vf_fma(load(x + i, k), load(dy + i, k), load(sums + i, k)), k);
    }
}

static void backward_task(void *rows, int64_t task, int thread)
{
    const struct rows *r = rows;
    const int64_t from = task * r->chunk, end = from + r->chunk < r->n ? from + r->chunk : r->n;
    float *sums = r->sums + task * r->c;

    (void)thread;
    memset(sums, 0, (size_t)r->c * sizeof *sums);
    for (int64_t n = from; n < end; n++) {
        add_row(r, n, sums); /* before dx, which may lie where dy does */
        if (r->y)
            scale_row(r, r->dy + n * r->c, r->y + n * r->c);
    }
}

static void backward(const struct kernel_args *a)
{
    struct rows r = rows_of(&a->op.in[X].shape, 1);
    float *drow = a->op.din[ROW].data;

    r.x = a->op.in[X].data;
    r.row = a->op.in[ROW].data;
    r.dy = a->op.dout[0].data;
    r.y = a->op.din[X].data;
    r.sums = a->scratch;
    pool_run(a->pool, chunks(&r), backward_task, &r);
    for (int64_t i = 0; drow && i < r.c; i++) {
        double sum = 0;

        for (int64_t k = 0; k < chunks(&r); k++)
            sum += r.sums[k * r.c + i];
        drow[i] = (float)sum;
    }
}

/* ---- the record ---- */

static int one_row(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape *x = &n->in[X]->shape, *row = &n->in[ROW]->shape;

    return n->n_join == 2 && !row->batch && x->rank > 1 &&
           shape_count(row) == x->dim[x->rank - 1] && row->rank <= x->rank &&
           row->dim[row->rank - 1] == shape_count(row);
}

static int last_axis(const struct step_nodes *s)
{
    const struct node *n = s->node[0];

    return attr_int(n, "axis") == n->in[X]->shape.rank - 1;
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct shape x = shape_bind(s->node[0]->in[X]->shape, s->batch);
    const struct rows r = rows_of(&x, 1);

    (void)threads;
    return (size_t)(chunks(&r) * r.c) * sizeof(float);
}

/* clang-format off */
#define COMMON(o, ok) .name = "rowscale_" ISA_NAME, .op = #o, .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .accepts = ok

const struct kernel ISA(rowscale_kernels)[] = {
    {COMMON(mul, one_row), .dir = DIR_FORWARD, .run = forward},
    {COMMON(mul, one_row), .dir = DIR_BACKWARD, .scratch = scratch, .run = backward},
    {COMMON(scale, last_axis), .dir = DIR_FORWARD, .run = forward},
    {COMMON(scale, last_axis), .dir = DIR_BACKWARD, .scratch = scratch, .run = backward},
    {0},
};
/* clang-format on */
