/* mul_blocked_body.h -- products of blocked values, some of them repeated along
 * channels, rows or columns; compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * What attention multiplies with: a factor for each channel, place, row or
 * column.  The gradient of one operand is dy times the others, summed where it
 * is repeated: along a row in eight chains, then row after row, then group
 * after group, then lane after lane.  */
#include <string.h>

#include "base/thread.h"
#include "cpu/elem.h"
#include "cpu/kernels.h"
#include "graph/graph.h"

enum { STEP = 8, MOST = 4 };

/* An operand: numbers from one place of the product to the next, 0 where it is
 * repeated.  */
struct factor {
    const elem *x;
    elem *dx; /* NULL: not wanted */
    int64_t image, group, row, pixel;
    int one;       /* channel, in lane 0 */
    int64_t sums;  /* where those of its gradient begin in those of a thread */
    int64_t count; /* of them; 0: it is repeated nowhere */
};

struct mul {
    struct factor in[MOST], y; /* y: the product, or dy */
    int n;
    int64_t groups, h, w;
    elem inside[LANES]; /* 1 for the channels of the last group, 0 behind them */
    float *sums;
    int64_t room; /* of a thread */
};

/* A row of one group.  */
struct place {
    int64_t image, group, h;
};

/* One vector of a row.  */
struct line {
    const elem *x;
    int64_t pixel;
    int one;
};

static struct factor factor_of(const struct shape *s, const struct shape *y)
{
    const int64_t *d = s->dim, *p = y->dim;
    struct factor f = {.one = d[1] < p[1]};

    f.pixel = d[3] == p[3] ? LANES : 0;
    f.row = d[2] == p[2] ? d[3] * LANES : 0;
    f.image = (d[1] + LANES - 1) / LANES * d[2] * d[3] * LANES;
    f.group = f.one ? 0 : d[2] * d[3] * LANES;
    f.count = f.one || !f.pixel || !f.row ? d[2] * d[3] * LANES : 0;
    return f;
}

static struct mul mul_of(const struct kernel_args *a, const struct tensor *y)
{
    const int64_t *d = y->shape.dim;
    struct mul m = {.n = a->op.node->n_join, .y = factor_of(&y->shape, &y->shape)};

    m.groups = (d[1] + LANES - 1) / LANES;
    m.h = d[2];
    m.w = d[3];
    m.sums = a->scratch;
    m.y.x = y->data;
    for (int i = 0; i < m.n; i++) {
        m.in[i] = factor_of(&a->op.in[i].shape, &y->shape);
        m.in[i].x = a->op.in[i].data;
        m.in[i].sums = m.room;
        m.room += m.in[i].count;
    }
    return m;
}

/* ---- products ---- */

static struct line line_of(const struct factor *f, const struct place *p, int64_t v)
{
    const int64_t at = p->image * f->image + p->group * f->group + p->h * f->row;

    return (struct line){f->x + at + (f->one ? 0 : v), f->pixel, f->one};
}

/* A = the product of N pixels of LINES lines, from column W on.  */
INLINE void product(const int n, const struct line *l, int lines, int64_t w, vf *a)
{
    EACH (i, n)
        a[i] = VF1(1);
    for (int k = 0; k < lines; k++) {
        const elem *x = l[k].x + w * l[k].pixel;

        if (l[k].one)
            EACH (i, n)
                a[i] = a[i] * elem_all(x + i * l[k].pixel);
        else
            EACH (i, n)
                a[i] = a[i] * elem_load(x + i * l[k].pixel);
    }
}

INLINE void store_row(const struct line *l, int lines, int64_t w, elem *y)
{
    int64_t i = 0;
    vf a[STEP];

    for (; i + STEP <= w; i += STEP) {
        product(STEP, l, lines, i, a);
        EACH (k, STEP)
            elem_store(y + (i + k) * LANES, a[k]);
    }
    for (; i < w; i++) {
        product(1, l, lines, i, a);
        elem_store(y + i * LANES, a[0]);
    }
}

static void forward_task(void *mul, int64_t group, int thread)
{
    const struct mul *m = mul;
    struct place p = {group / m->groups, group % m->groups, 0};
    struct line l[MOST];

    (void)thread;
    for (; p.h < m->h; p.h++)
        for (int64_t v = 0; v < LANES; v += VL) {
            for (int k = 0; k < m->n; k++)
                l[k] = line_of(&m->in[k], &p, v);
            store_row(l, m->n, m->w, (elem *)line_of(&m->y, &p, v).x);
        }
}

static void forward(const struct kernel_args *a)
{
    struct mul m = mul_of(a, &a->op.out[0]);

    pool_run(a->pool, a->op.out[0].shape.dim[0] * m.groups, forward_task, &m);
}

/* ---- gradients ---- */

/* Add a row to sums: each pixel to its own, or all to one.  */
INLINE void add_row(const struct line *l, int lines, int64_t w, int64_t pixel, float *to)
{
    vf a[STEP], chain[STEP], sum = VF0;
    int64_t i = 0;

    EACH (k, STEP)
        chain[k] = VF0;
    for (; i + STEP <= w; i += STEP) {
        product(STEP, l, lines, i, a);
        EACH (k, STEP)
            if (pixel)
                vf_store(to + (i + k) * LANES, vf_load(to + (i + k) * LANES) + a[k]);
            else
                chain[k] = chain[k] + a[k];
    }
    for (; i < w; i++) {
        product(1, l, lines, i, a);
        if (pixel)
            vf_store(to + i * LANES, vf_load(to + i * LANES) + a[0]);
        else
            chain[0] = chain[0] + a[0];
    }
    EACH (k, STEP)
        sum = sum + chain[k];
    if (!pixel)
        vf_store(to, vf_load(to) + sum);
}

/* What row P adds to the gradient of operand OF.  */
static void grad_row(const struct mul *m, int of, const struct place *p, float *sums)
{
    const struct factor *f = &m->in[of];

    for (int64_t v = 0; v < LANES; v += VL) {
        struct line l[MOST + 1] = {line_of(&m->y, p, v)};
        int n = 1;

        for (int k = 0; k < m->n; k++)
            if (k != of)
                l[n++] = line_of(&m->in[k], p, v);
        if (f->one && p->group == m->groups - 1)
            l[n++] = (struct line){m->inside + v, 0, 0};
        if (!f->count)
            store_row(l, n, m->w, f->dx + (line_of(f, p, v).x - f->x));
        else if (f->pixel)
            add_row(l, n, m->w, LANES, sums + v);
        else
            add_row(l, n, m->w, 0, sums + v);
    }
}

/* Gradients of operands that have all channels, of one group.  */
static void own_task(void *mul, int64_t group, int thread)
{
    const struct mul *m = mul;
    float *sums = m->sums + thread * m->room;
    struct place p = {group / m->groups, group % m->groups, 0};

    memset(sums, 0, (size_t)m->room * sizeof *sums);
    for (; p.h < m->h; p.h++)
        for (int k = 0; k < m->n; k++)
            if (m->in[k].dx && !m->in[k].one)
                grad_row(m, k, &p, sums + m->in[k].sums + p.h * m->in[k].row);
    for (int k = 0; k < m->n; k++) {
        const struct factor *f = &m->in[k];

        for (int64_t i = 0; f->dx && !f->one && i < f->count; i += VL)
            elem_store(f->dx + p.image * f->image + p.group * f->group + i,
                       vf_load(sums + f->sums + i));
    }
}

/* Lane 0 = the sum of the lanes.  */
static void join_lanes(const float *sums, elem *to)
{
    float t[LANES] = {0};

    for (int64_t i = 0; i < LANES; i++)
        t[0] += sums[i];
    for (int64_t v = 0; v < LANES; v += VL)
        elem_store(to + v, vf_load(t + v));
}

/* Those that have one, of one image.  */
static void one_task(void *mul, int64_t image, int thread)
{
    const struct mul *m = mul;
    float *sums = m->sums + thread * m->room;

    memset(sums, 0, (size_t)m->room * sizeof *sums);
    for (struct place p = {.image = image}; p.group < m->groups; p.group++)
        for (p.h = 0; p.h < m->h; p.h++)
            for (int k = 0; k < m->n; k++)
                if (m->in[k].dx && m->in[k].one)
                    grad_row(m, k, &p, sums + m->in[k].sums + p.h * m->in[k].row);
    for (int k = 0; k < m->n; k++) {
        const struct factor *f = &m->in[k];

        for (int64_t i = 0; f->dx && f->one && i < f->count; i += LANES)
            join_lanes(sums + f->sums + i, f->dx + image * f->image + i);
    }
}

static void backward(const struct kernel_args *a)
{
    const struct shape *y = &a->op.dout[0].shape;
    struct mul m = mul_of(a, &a->op.dout[0]);
    int own = 0, one = 0;
    float inside[LANES];

    for (int i = 0; i < LANES; i++)
        inside[i] = i < y->dim[1] - (m.groups - 1) * LANES;
    for (int v = 0; v < LANES; v += VL)
        elem_store(m.inside + v, vf_load(inside + v));
    for (int k = 0; k < m.n; k++) {
        m.in[k].dx = a->op.din[k].data;
        own |= m.in[k].dx && !m.in[k].one;
        one |= m.in[k].dx && m.in[k].one;
    }
    if (own)
        pool_run(a->pool, y->dim[0] * m.groups, own_task, &m);
    if (one)
        pool_run(a->pool, y->dim[0], one_task, &m);
}

/* ---- the records ---- */

static const struct shape *shape_of_y(const struct node *n)
{
    return n->dir == DIR_BACKWARD ? &n->in[n->n_in - 1]->shape : &n->out[0]->shape;
}

static int accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape *y = shape_of_y(n);

    if (y->rank != 4 || n->n_join > MOST)
        return 0;
    for (int k = 0; k < n->n_join; k++) {
        const struct shape *x = &n->in[k]->shape;

        /* one for all samples is not repeated here */
        if (value_is_tensor(n->in[k]) || x->rank != 4 || x->dim[0] != y->dim[0] ||
            x->batch != y->batch)
            return 0;
    }
    return 1;
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    int64_t room = 0;

    for (int k = 0; k < n->n_join; k++)
        room += factor_of(&n->in[k]->shape, shape_of_y(n)).count;
    return (size_t)(room * threads) * sizeof(float);
}

/* clang-format off */
#define COMMON .name = "mul_blocked_" ISA_NAME, .op = "mul", .isa = ISA_BITS, .dtypes = 1 << DTYPE_F32, \
    .reads = ELEM_LAYOUT, .writes = ELEM_LAYOUT, .accepts = accepts

const struct kernel ISA(mul_blocked_kernels)[] = {
    {COMMON, .dir = DIR_FORWARD, .run = forward},
    {COMMON, .dir = DIR_BACKWARD, .scratch = scratch, .run = backward},
    {0},
};
/* clang-format on */
