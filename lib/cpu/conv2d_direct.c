/* conv2d_direct.c -- see conv2d_direct.h: geometry and what runs; weights are
 * packed in directpack.c, work is cut in directcut.c, the arithmetic is in
 * conv2d_direct_body.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/conv2d_direct.h"

#include <string.h>

#include "base/thread.h"
#include "cpu/biasgrad.h"
#include "cpu/round.h"
#include "cpu/wgrad.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

enum { X, WEIGHT, BIAS };
enum { SLOT = 4 }; /* bytes */

/* ---- geometry ---- */

int64_t direct_first(const struct direct *d, int64_t p)
{
    const int64_t g = p * LANES / (d->o / d->groups);

    return least(g * (d->c / d->groups) / LANES, d->planes - d->span);
}

/* The most planes that the groups of a panel's outputs lie in.  */
static int64_t span_of(const struct direct *d)
{
    const int64_t c = d->c / d->groups, o = d->o / d->groups;
    int64_t widest = 1;

    for (int64_t p = 0; p < d->panels; p++) {
        const int64_t first = p * LANES / o * c;
        const int64_t last = (least((p + 1) * LANES, d->o) - 1) / o * c + c - 1;

        widest = most(last / LANES - first / LANES + 1, widest);
    }
    return widest;
}

/* Of plain x: tap rows.  */
static void plain_blocks(struct direct *d)
{
    d->planes = d->span = 1;
    d->pixel = d->c * d->stride[1];
    d->step = d->pixel * SLOT / d->per;
    d->kn = d->kn_last = up(d->kernel[1] * d->c, d->per);
    d->blocks = d->whole = d->kernel[0];
}

static void blocked_blocks(struct direct *d)
{
    const int64_t taps = d->kernel[0] * d->kernel[1];

    d->planes = up(d->c, LANES);
    d->pixel = LANES / d->per;
    d->step = d->pixel * SLOT;
    d->span = d->groups == 1 ? d->planes : span_of(d);
    d->kn = d->kn_last = d->pixel;
    if (d->groups == 1 && d->c % LANES)
        d->kn_last = up(d->c % LANES, d->per);
    d->blocks = d->span * taps;
    d->whole = d->kn_last == d->kn ? d->blocks : d->blocks - taps;
}

static void blocks_of(struct direct *d)
{
    d->panels = up(d->o, LANES);
    if (d->planar)
        plain_blocks(d);
    else
        blocked_blocks(d);
    d->k = d->whole * d->kn + (d->blocks - d->whole) * d->kn_last;
}

/* What follows from the sizes.  X is read where it lies if it is flat without a
 * stride, and its numbers stored, as wide as those of a copy.  */
static void complete(struct direct *d)
{
    blocks_of(d);
    d->flat = !d->planar;
    d->copy = !d->in_place || d->lazy & (d->turned ? LAZY_DY : LAZY_X);
    for (int i = 0; i < 2; i++) {
        d->flat &= d->kernel[i] == 1 && !d->pad[i] && (d->out[i] - 1) * d->stride[i] < d->in[i] &&
                   d->map_step[i] == 1;
        d->copy |= d->in[i] != d->out[i];
    }
    d->copy |= !d->flat;
}

/* Backward the shape of x is known even where x is not kept.  */
static const struct shape *shape_of_x(const struct node *n)
{
    return n->in[X] ? &n->in[X]->shape : &n->in_shape[X];
}

struct direct conv2d_direct_of(const struct direct_form *f, int planar, const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct value *out = n->dir == DIR_BACKWARD ? n->in[n->n_in - 1] : n->out[0];
    const struct shape x = shape_bind(*shape_of_x(n), s->batch);
    const struct shape y = shape_bind(out->shape, s->batch);
    const struct window w = window_of(n, &x, &y);
    struct direct d = {.n = x.dim[0], .c = x.dim[1], .o = y.dim[1], .planar = planar};

    d.per = f->per;
    d.in_place = f->in_place;

    d.groups = attr_int(n, "groups");
    d.lazy = s->lazy;
    d.tuning = s->n_side ? NULL : s->tuning; /* bands have sums of their own */
    for (int i = 0; i < 2; i++) {
        d.in[i] = w.in[i];
        d.out[i] = d.map[i] = w.out[i];
        d.kernel[i] = d.filter[i] = w.kernel[i];
        d.stride[i] = w.stride[i];
        d.dil[i] = w.dilation[i];
        d.pad[i] = w.pad[i];
        d.map_step[i] = d.skip[i] = 1;
    }
    complete(&d);
    return d;
}

/* The gradient of x at AT + i stride along D: the taps whose products reach
 * there, the one that reads lowest first.  */
static void turn(struct direct *d, int i, int64_t at)
{
    const int64_t step = d->stride[i], dil = d->dil[i];
    const int64_t skip = step / gcd(step, dil), in = d->in[i];
    int64_t r = 0, taps;

    while (r < skip && (at + d->pad[i] - r * dil) % step)
        r++;
    taps = r < skip && r < d->filter[i] ? (d->filter[i] - r + skip - 1) / skip : 0;
    d->in[i] = d->out[i];
    d->out[i] = (in - at + step - 1) / step;
    d->map[i] = in;
    d->map_step[i] = step;
    d->map_at[i] = at;
    d->kernel[i] = taps;
    d->first[i] = r + (taps - 1) * skip;
    d->skip[i] = -skip;
    d->pad[i] = (d->first[i] * dil - at - d->pad[i]) / step;
    d->dil[i] = skip * dil / step;
    d->stride[i] = 1;
}

/* Sweep I of the step; 0 when there are no more.  */
static int nth(const struct direct_isa *isa, int planar, const struct step_nodes *s, int64_t i,
               struct direct *d)
{
    *d = conv2d_direct_of(&isa->form, planar, s);
    if (s->node[0]->dir == DIR_FORWARD)
        return i == 0;
    const int64_t columns = d->stride[1], c = d->c;

    if (i >= d->stride[0] * columns)
        return 0;
    turn(d, 0, i / columns);
    turn(d, 1, i % columns);
    if (!d->kernel[0] || !d->kernel[1]) /* nothing reaches there: zeros */
        d->kernel[0] = d->kernel[1] = 0;
    d->c = d->o;
    d->o = c;
    d->turned = 1;
    d->planar = 0;
    complete(d);
    return 1;
}

/* A stride beyond the input's size leaves some remainders without outputs.  */
static int has_outputs(const struct direct *d)
{
    return d->out[0] > 0 && d->out[1] > 0;
}

/* ---- cutting ---- */

/* Of a copy of ROWS output rows.  */
void conv2d_direct_place(struct direct *d, int64_t rows)
{
    for (int i = 0; i < 2; i++) {
        const int64_t outputs = i ? d->out[1] : rows;

        d->remainders[i] = d->kernel[i] == 1 ? 1 : d->stride[i];
        d->each[i] = outputs + most(d->kernel[i] - 1, 0) * d->dil[i] / d->stride[i];
    }
    d->row = d->planar ? up((d->out[1] - 1) * d->pixel, d->per) + d->kn
                       : d->remainders[1] * d->each[1] * d->pixel;
    d->plane = d->remainders[0] * d->each[0] * d->row;
    if (d->flat) {
        d->row = 0;
        d->plane = (d->copy ? rows : d->in[0] * d->in[1]) * d->pixel;
    }
    d->x_gap = d->row * SLOT - d->out[1] * d->step;
    d->y_gap = (d->map_step[0] * d->map[1] - d->out[1] * d->map_step[1]) * LANES;
    d->copy_slots = d->copy ? (size_t)round_up(d->planes * d->plane + LANES, LANES) : 0;
}

/* ---- the record's functions ---- */

/* Windows are further apart than they are long: between them the gradient of x
 * is zero.  */
static int leaves_out(const struct node *n)
{
    int count;
    const int64_t *stride = attr_ints(n, "stride", &count);
    const struct shape *w = &n->in[WEIGHT]->shape;

    return n->dir == DIR_BACKWARD && (stride[0] > w->dim[2] || stride[1] > w->dim[3]);
}

/* Behind zeros nothing is done here: an add that follows may be done behind its
 * other operand, in which there is something everywhere.  */
static int accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];

    return n->in[WEIGHT] && value_is_tensor(n->in[WEIGHT]) && writer_accepts(s) &&
           (s->n == 1 || !leaves_out(n));
}

int conv2d_direct_accepts(const struct step_nodes *s)
{
    return accepts(s) && shape_of_x(s->node[0])->dim[1] > DIRECT_PLAIN;
}

/* Columns between taps are not left out: there must be none.  */
int direct_is_plain(const struct node *n, int64_t channels)
{
    return channels <= DIRECT_PLAIN && attr_int(n, "groups") == 1 &&
           attr_ints(n, "dilation", NULL)[1] == 1;
}

int conv2d_direct_accepts_plain(const struct step_nodes *s)
{
    return accepts(s) && direct_is_plain(s->node[0], shape_of_x(s->node[0])->dim[1]);
}

static int64_t off_slots(const struct direct *d)
{
    return round_up(d->blocks, LANES);
}

size_t direct_room(const struct direct *d, int64_t table, int threads)
{
    return (size_t)(off_slots(d) + table) + d->copy_slots * (size_t)(d->shared ? d->n : threads);
}

/* Rows of sums of all sweeps.  */
static int64_t sums_of(const struct direct_isa *isa, int planar, const struct step_nodes *s)
{
    struct direct d;
    int64_t rows = 0;

    for (int64_t i = 0; s->n_side && nth(isa, planar, s, i, &d); i++)
        if (has_outputs(&d)) {
            direct_cut(isa, &d, STEADY);
            rows += d.n * d.bands;
        }
    return rows;
}

/* Tables of what is computed as it is read.  */
static size_t reader_room(const struct direct_isa *isa, const struct step_nodes *s)
{
    const struct direct d = conv2d_direct_of(&isa->form, 0, s);
    size_t floats = 0;

    if (s->lazy & LAZY_X)
        floats += reader_floats(d.c);
    if (s->lazy & LAZY_DY)
        floats += reader_floats(d.o);
    return floats;
}

static int64_t written(const struct direct_isa *isa, const struct step_nodes *s)
{
    const struct direct d = conv2d_direct_of(&isa->form, 0, s);

    return s->node[0]->dir == DIR_BACKWARD ? d.c : d.o;
}

/* What is read; what gradients of the weights need; what is written; the offsets
 * of the blocks and a copy a thread.  */
size_t conv2d_direct_scratch(const struct direct_isa *isa, int planar, const struct step_nodes *s,
                             int threads)
{
    struct direct d;
    size_t floats = 0;

    for (int64_t i = 0; nth(isa, planar, s, i, &d); i++)
        if (has_outputs(&d)) {
            direct_cut(isa, &d, writer_threads(s, threads));
            floats = (size_t)most((int64_t)direct_room(&d, 0, threads), (int64_t)floats);
        }
    floats += writer_floats(s, written(isa, s), sums_of(isa, planar, s));
    if (s->node[0]->dir == DIR_BACKWARD)
        floats += wgrad_scratch(isa, planar, s, threads);
    return (reader_room(isa, s) + floats) * sizeof(float);
}

static size_t packed_floats(const struct direct *d)
{
    return (size_t)(d->panels * LANES * d->k);
}

size_t conv2d_direct_pack_bytes(const struct direct_isa *isa, int planar,
                                const struct step_nodes *s, int i)
{
    struct direct d;
    size_t floats = 0;

    for (int64_t p = 0; i == WEIGHT && nth(isa, planar, s, p, &d); p++)
        floats += packed_floats(&d);
    return floats * sizeof(float);
}

void conv2d_direct_pack(const struct direct_isa *isa, int planar, const struct step_nodes *s,
                        const struct tensor *t, void *packed)
{
    float *to = packed;
    struct direct d;

    memset(to, 0, conv2d_direct_pack_bytes(isa, planar, s, WEIGHT));

    for (int64_t i = 0; nth(isa, planar, s, i, &d); i++) {
        direct_pack(isa, &d, t->data, to);
        to += packed_floats(&d);
    }
}

static void fill_offsets(const struct direct *d, int32_t *off)
{
    const int64_t columns = d->planar ? 1 : d->kernel[1];

    for (int64_t g = 0; g < d->span; g++)
        for (int64_t r = 0; r < d->kernel[0]; r++)
            for (int64_t s = 0; s < columns; s++) {
                const int64_t h = r * d->dil[0], w = s * d->dil[1];
                const int64_t row = h % d->stride[0] * d->each[0] + h / d->stride[0];
                const int64_t col = w % d->stride[1] * d->each[1] + w / d->stride[1];

                *off++ = (int32_t)(g * d->plane + row * d->row + col * d->pixel);
            }
}

void *direct_start(const struct direct_isa *isa, struct direct *d, int64_t table, int threads,
                   void *scratch, struct direct_run *r)
{
    int32_t *off = scratch;

    direct_cut(isa, d, threads);
    fill_offsets(d, off);
    r->d = d;
    r->off = off;
    r->scratch = off + off_slots(d) + table;
    return off + off_slots(d);
}

struct loop direct_loop(const struct direct_isa *isa, struct pool *pool, struct direct_run *r)
{
    const struct direct *d = r->d;

    if (d->shared)
        pool_run(pool, d->n * d->planes, isa->copy, r);
    return (struct loop){d->n * d->bands * d->parts, isa->task, r};
}

/* Bytes: fewer are in the caches when they are written, and asking for them takes
 * 2 % of a MobileNetV2; not to ask for more takes 5 % of a ResNet-50 of 8 pictures.  */
enum { AHEAD_LEAST = 1 << 21 };

/* One sweep.  */
static struct loop sweep(const struct direct_isa *isa, const struct kernel_args *a,
                         struct direct *d, struct direct_f32 *r, float *scratch)
{
    if (r->x.kind == READ_PLAIN) { /* it may have been lazy */
        d->lazy = 0;
        complete(d);
    }
    direct_start(isa, d, 0, writer_threads(a->step, pool_threads(a->pool)), scratch, &r->r);
    r->r.x = r->x.x;
    r->r.read = (struct ahead_arrays){.size = isa->form.size};
    if (d->copy && !d->shared)
        ahead_reader(&r->r.read, &r->x);
    r->written = (struct ahead_arrays){.size = isa->form.size};
    if (d->n * d->o * d->map[0] * d->map[1] * isa->form.size >= AHEAD_LEAST)
        ahead_writer(&r->written, &r->y);
    return direct_loop(isa, a->pool, &r->r);
}

/* What all sweeps share; returns the scratch that is left.  ROWS of sums.  */
static float *begin(const struct direct_isa *isa, const struct kernel_args *a,
                    const struct reader *x, void *y, int64_t rows, float *scratch,
                    struct direct_f32 *r)
{
    const int64_t c = written(isa, a->step);
    const int backward = a->step->node[0]->dir == DIR_BACKWARD;

    *r = (struct direct_f32){.x = *x};
    r->y = writer_of(a, y, c, backward ? NULL : a->op.in[BIAS].data, rows, scratch);
    r->r.w = a->packed[WEIGHT];
    return scratch + writer_floats(a->step, c, rows);
}

/* From dy as W reads it.  The gradient of the weights, if wanted (g of W), is
 * done with the only sweep of a stride of 1 where that reads the same; returns
 * whether it was.  */
static int gradient_of_x(const struct direct_isa *isa, int planar, const struct kernel_args *a,
                         struct wgrad_run *w, float *scratch)
{
    const int64_t rows = sums_of(isa, planar, a->step);
    struct direct_f32 r;
    struct direct d;
    int both = 0;

    scratch = begin(isa, a, &w->dy, a->op.din[X].data, rows, scratch, &r);
    for (int64_t i = 0; nth(isa, planar, a->step, i, &d); i++) {
        if (has_outputs(&d)) {
            const struct loop l = sweep(isa, a, &d, &r, scratch);

            both = w->g && wgrad_joins(w, &d, pool_threads(a->pool));
            if (both) {
                r.r.read.n = 0; /* it was just read */
                w->dx = &r.r;
                wgrad_run(isa, a, w);
            } else {
                pool_run_all(a->pool, &l, 1);
            }
            r.r.sums += d.n * d.bands;
        }
        r.r.w = (const float *)r.r.w + packed_floats(&d);
    }
    writer_end(&r.y, a, rows);
    return both;
}

static void backward(const struct direct_isa *isa, int planar, const struct kernel_args *a)
{
    float *scratch = a->scratch;
    struct reader x, dy = reader_of(&a->op.dout[0], a->lazy_dy, scratch);
    struct wgrad_run w = {.dy = dy};
    struct wgrad g;
    int both = 0;

    scratch += a->lazy_dy ? reader_floats(a->op.dout[0].shape.dim[1]) : 0;
    x = reader_of(&a->op.in[X], a->lazy_x, scratch);
    scratch += a->lazy_x ? reader_floats(a->op.in[X].shape.dim[1]) : 0;
    if (a->op.din[WEIGHT].data)
        scratch = wgrad_begin(isa, planar, a, &x, &dy, scratch, &g, &w);
    if (a->op.din[X].data)
        both = gradient_of_x(isa, planar, a, &w, scratch);
    if (a->op.din[BIAS].data)
        bias_grad_run(isa->bias, a, &w.dy);
    if (a->op.din[WEIGHT].data && !both)
        wgrad_run(isa, a, &w);
}

/* A forward step, begun; it has one sweep.  */
struct begun {
    struct direct d;
    struct direct_f32 r;
    int64_t rows;
};

static struct loop forward(const struct direct_isa *isa, int planar, const struct kernel_args *a,
                           struct begun *b)
{
    float *scratch = a->scratch;
    const struct reader x = reader_of(&a->op.in[X], a->lazy_x, scratch);

    scratch += a->lazy_x ? reader_floats(a->op.in[X].shape.dim[1]) : 0;
    b->rows = sums_of(isa, planar, a->step);
    scratch = begin(isa, a, &x, a->op.out[0].data, b->rows, scratch, &b->r);
    nth(isa, planar, a->step, 0, &b->d);
    return sweep(isa, a, &b->d, &b->r, scratch);
}

void conv2d_direct_together(const struct direct_isa *isa, int planar, const struct siblings *s)
{
    struct begun b[SIBLINGS];
    struct loop l[SIBLINGS];

    for (int i = 0; i < s->n; i++)
        l[i] = forward(isa, planar, s->a[i], &b[i]);
    pool_run_all(s->a[0]->pool, l, s->n);
    for (int i = 0; i < s->n; i++)
        writer_end(&b[i].r.y, s->a[i], b[i].rows);
}

void conv2d_direct_run(const struct direct_isa *isa, int planar, const struct kernel_args *a)
{
    const struct siblings alone = {1, &a};

    if (a->step->node[0]->dir == DIR_BACKWARD)
        backward(isa, planar, a);
    else
        conv2d_direct_together(isa, planar, &alone);
}
