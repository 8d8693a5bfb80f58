/* upsample_blocked_body.h -- blocked maps of another size, by the nearest pixel
 * or between four; compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Rows are joined first, each input row that an output row reads by its part;
 * then columns.  Back, the other way round, in sums of float.  */
#include <string.h>

#include "base/thread.h"
#include "cpu/elem.h"
#include "cpu/kernels.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/upsample.h"

enum { X, LIKE };

struct maps {
    struct upsample_side h, w;
    const elem *from;
    elem *to;
    struct upsample_tap *tap; /* [w.out] */
    float *room;              /* [threads][each] */
    int64_t each;
};

static struct maps maps_of(const struct kernel_args *a, const struct shape *x,
                           const struct shape *y)
{
    struct maps m = {.h = upsample_side(a->op.node, x, y, 0)};

    m.w = upsample_side(a->op.node, x, y, 1);
    m.tap = a->scratch;
    m.room = (float *)(m.tap + m.w.out);
    for (int64_t q = 0; q < m.w.out; q++)
        m.tap[q] = upsample_tap(&m.w, q);
    return m;
}

/* TO = A by 1 - PART and B by PART.  */
INLINE vf between(vf a, vf b, float part)
{
    return vf_fma(b, VF1(part), vf_fma(a, VF1(1 - part), VF0));
}

/* ---- forward ---- */

/* An output row: ROW is where rows are joined.  */
static void make_row(const struct maps *m, const elem *x, int64_t p, float *row, elem *y)
{
    const struct upsample_tap t = upsample_tap(&m->h, p);
    const elem *lo = x + t.lo * m->w.in * LANES, *hi = x + t.hi * m->w.in * LANES;

    for (int64_t i = 0; i < m->w.in * LANES; i += VL)
        vf_store(row + i, between(elem_load(lo + i), elem_load(hi + i), (float)t.part));
    for (int64_t q = 0; q < m->w.out; q++) {
        const struct upsample_tap *c = &m->tap[q];

        for (int64_t v = 0; v < LANES; v += VL)
            elem_store(y + q * LANES + v,
                       between(vf_load(row + c->lo * LANES + v), vf_load(row + c->hi * LANES + v),
                               (float)c->part));
    }
}

static void forward_task(void *maps, int64_t task, int thread)
{
    const struct maps *m = maps;
    const int64_t group = task / m->h.out, p = task % m->h.out;

    make_row(m, m->from + group * m->h.in * m->w.in * LANES, p, m->room + thread * m->each,
             m->to + task * m->w.out * LANES);
}

static void forward(const struct kernel_args *a)
{
    const struct shape *x = &a->op.in[X].shape;
    struct maps m = maps_of(a, x, &a->op.out[0].shape);

    m.each = m.w.in * LANES;
    m.from = a->op.in[X].data;
    m.to = a->op.out[0].data;
    pool_run(a->pool, layout_groups(x) * m.h.out, forward_task, &m);
}

/* ---- backward ---- */

INLINE void add(float *to, vf v, float part)
{
    vf_store(to, vf_fma(v, VF1(part), vf_load(to)));
}

/* ROW = what a row of dy gives to the columns of x.  */
static void give_row(const struct maps *m, const elem *dy, float *row)
{
    memset(row, 0, (size_t)(m->w.in * LANES) * sizeof *row);
    for (int64_t q = 0; q < m->w.out; q++) {
        const struct upsample_tap *c = &m->tap[q];

        for (int64_t v = 0; v < LANES; v += VL) {
            const vf d = elem_load(dy + q * LANES + v);

            add(row + c->lo * LANES + v, d, (float)(1 - c->part));
            if (c->part > 0)
                add(row + c->hi * LANES + v, d, (float)c->part);
        }
    }
}

static void backward_task(void *maps, int64_t group, int thread)
{
    const struct maps *m = maps;
    const int64_t row = m->w.in * LANES, size = m->h.in * row;
    float *dx = m->room + thread * m->each, *give = dx + size;

    memset(dx, 0, (size_t)size * sizeof *dx);
    for (int64_t p = 0; p < m->h.out; p++) {
        const struct upsample_tap t = upsample_tap(&m->h, p);

        give_row(m, m->from + (group * m->h.out + p) * m->w.out * LANES, give);
        for (int64_t i = 0; i < row; i += VL) {
            const vf d = vf_load(give + i);

            add(dx + t.lo * row + i, d, (float)(1 - t.part));
            if (t.part > 0)
                add(dx + t.hi * row + i, d, (float)t.part);
        }
    }
    for (int64_t i = 0; i < size; i += VL)
        elem_store(m->to + group * size + i, vf_load(dx + i));
}

static void backward(const struct kernel_args *a)
{
    const struct tensor *dx = &a->op.din[X], *like = &a->op.din[LIKE];
    struct maps m = maps_of(a, &a->op.in[X].shape, &a->op.dout[0].shape);

    m.each = (m.h.in + 1) * m.w.in * LANES;
    m.from = a->op.dout[0].data;
    m.to = dx->data;
    if (m.to)
        pool_run(a->pool, layout_groups(&dx->shape), backward_task, &m);
    if (node_op_in(a->op.node) > LIKE && like->data)
        memset(like->data, 0,
               (size_t)(layout_groups(&like->shape) * like->shape.dim[2] * like->shape.dim[3] *
                        LANES) *
                   sizeof(elem));
}

/* ---- the record ---- */

static const struct shape *shape_of_x(const struct node *n)
{
    return n->in[X] ? &n->in[X]->shape : &n->in_shape[X];
}

static int accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];

    return !(n->in[X] && value_is_tensor(n->in[X]));
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    const int back = n->dir == DIR_BACKWARD;
    const int64_t *x = shape_of_x(n)->dim;
    const int64_t *y = back ? n->in[n->n_in - 1]->shape.dim : n->out[0]->shape.dim;
    const int64_t each = (back ? x[2] + 1 : 1) * x[3] * LANES;

    return (size_t)y[3] * sizeof(struct upsample_tap) + (size_t)(threads * each) * sizeof(float);
}

/* clang-format off */
#define COMMON .name = "upsample_blocked_" ISA_NAME, .op = "upsample", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .reads = ELEM_LAYOUT, .writes = ELEM_LAYOUT, .accepts = accepts, \
    .scratch = scratch

const struct kernel ISA(upsample_blocked_kernels)[] = {
    {COMMON, .dir = DIR_FORWARD, .run = forward},
    {COMMON, .dir = DIR_BACKWARD, .run = backward},
    {0},
};
/* clang-format on */
