/* dwconv2d_blocked_body.h -- depthwise convolution of blocked values;
 * compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Channels are lanes, so nothing is shuffled: a tile of neighbouring outputs
 * stays in registers, each number of x is loaded once for all the taps of a
 * row that need it.  Taps that fall outside are left out.  What is computed as
 * it is read (reader.h), or is narrow, is copied first, the rows of a band at a
 * time, with zeros on both sides.  Gradients: dwconv2d_grad.inc.  */
#include "base/thread.h"
#include "cpu/kernels.h"
#include "cpu/lanes.h"
#include "cpu/round.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

enum { X, WEIGHT, BIAS };
enum { PV = LANES / VL, ROWS = 8, GRAD_PIXELS = 900, MOST_TAPS = 8, CHUNKS = 16 };
enum { TILE = 8, SEVEN = 7 }; /* outputs at once: many maps are multiples of 7 wide */

struct dw {
    struct window w;
    int64_t n, c, groups;      /* of 16 channels */
    int64_t rows, bands;       /* of y in a band; bands */
    int64_t chunks, per_chunk; /* images */
    const float *weight;
    struct reader x, dy;
    struct writer y; /* backward dx, if wanted */
    int dx;
    double *sums;       /* of gradients of the weights; NULL: not wanted */
    float *scratch;     /* of the threads */
    size_t copy_floats; /* of one */
};

static const struct shape *shape_of_x(const struct node *n)
{
    return n->in[X] ? &n->in[X]->shape : &n->in_shape[X];
}

static struct dw dw_of(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const int backward = n->dir == DIR_BACKWARD;
    const struct value *out = backward ? n->in[n->n_in - 1] : n->out[0];
    const struct shape x = shape_bind(*shape_of_x(n), s->batch);
    const struct shape y = shape_bind(out->shape, s->batch);
    struct dw d = {.w = window_of(n, &x, &y), .n = x.dim[0], .c = x.dim[1]};

    d.groups = (d.c + LANES - 1) / LANES;
    d.rows = backward ? most(least(GRAD_PIXELS / d.w.out[1], d.w.out[0]), 1) : ROWS;
    d.bands = (d.w.out[0] + d.rows - 1) / d.rows;
    d.per_chunk = (d.n + CHUNKS - 1) / CHUNKS;
    d.chunks = (d.n + d.per_chunk - 1) / d.per_chunk;
    return d;
}

static int accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const int64_t c = shape_of_x(n)->dim[1];
    const struct value *w = n->in[WEIGHT];

    return w && value_is_tensor(w) && attr_int(n, "groups") == c && c > 1 && w->shape.dim[0] == c &&
           w->shape.dim[2] <= MOST_TAPS && w->shape.dim[3] <= MOST_TAPS && writer_accepts(s);
}

/* ---- outputs ---- */

/* A band of a plane: its output rows [FIRST, END), and x.  */
struct outputs {
    const void *x; /* elem where it lies, float in a copy */
    const float *w;
    int raw;               /* where it lies */
    int64_t width, margin; /* pixels of a row of x, of which zeros at its left */
    int64_t first, end;
    int64_t plane, lane;
    vf (*sum)[STEP_SIDES][WRITER_SUMS]; /* of each vector */
};

/* What the tiles of a row have in common, copied: any number that is stored could
 * be one of these to the compiler.  */
struct line {
    const void *x;      /* the first row of taps that is inside, column 0 */
    const float *w;     /* its weights */
    int64_t taps, step; /* rows of taps; numbers from one to the next */
    int64_t width;      /* of x */
    int64_t before;     /* columns in front of x that output 0 reads */
    int64_t y, lane;    /* of output 0 */
    int simple;         /* lanes_simple() */
    struct lanes_end end;
};

static struct line line_of(const struct dw *d, const struct outputs *o)
{
    struct line l = {.step = d->w.dilation[0] * o->width * LANES, .lane = o->lane};

    l.width = o->width;
    l.before = d->w.pad[1] - o->margin;
    l.simple = lanes_simple(&d->y);
    if (l.simple)
        l.end = lanes_end(&d->y);
    return l;
}

/* Output row I.  */
INLINE void turn_to(const struct dw *d, const struct outputs *o, int64_t i, struct line *l)
{
    const size_t size = o->raw ? sizeof(elem) : sizeof(float);
    int64_t h, lo, hi;

    window_taps(&d->w, 0, i, &h, &lo, &hi);
    h += lo * d->w.dilation[0];
    l->x = (const char *)o->x + h * o->width * LANES * (int64_t)size;
    l->w = o->w + lo * d->w.kernel[1] * LANES;
    l->taps = hi - lo;
    l->y = (o->plane * d->w.out[0] + i) * d->w.out[1] * LANES;
}

INLINE vf load(const int raw, const void *x, int64_t i)
{
    return raw ? elem_load((const elem *)x + i) : vf_load((const float *)x + i);
}

/* N outputs of vector V from J on.  */
INLINE void store(const int n, const struct dw *d, const struct outputs *o, const struct line *l,
                  int64_t j, int64_t v, vf *a)
{
    const int64_t at = l->y + j * LANES + v, lane = l->lane + v;
    float rest[TILE * VL];

    if (l->simple) {
        lanes_store(n, &l->end, at, LANES, 0, lane, a);
        return;
    }
    EACH (i, n)
        vf_store(rest + i * VL, a[i]);
    lanes_put(&d->y, &(struct lanes_block){at, lane, 1, n, 0, LANES}, rest, o->sum[v / VL]);
}

/* A row of taps over a tile of N outputs; at an EDGE of x those of its columns that
 * are not in [FIRST, END) are outside, none of them in the middle.  */
INLINE void taps_row(const int raw, const int n, const int taps, const int step, const int edge,
                     const void *x, int64_t at, int64_t first, int64_t end, const float *w, vf *a)
{
    const int columns = (n - 1) * step + taps;
    vf b[MOST_TAPS];

    EACH (s, taps)
        b[s] = vf_load(w + s * LANES);
    EACH (q, columns) {
        if (edge && ((q < taps - 1 && q < first) || (q > columns - taps && q >= end)))
            continue;
        const vf v = load(raw, x, at + q * LANES);

        EACH (s, taps)
            if (q >= s && (q - s) % step == 0 && (q - s) / step < n)
                a[(q - s) / step] = vf_fma(v, b[s], a[(q - s) / step]);
    }
}

INLINE void tile(const int raw, const int n, const int taps, const int step, const int edge,
                 const struct dw *d, const struct outputs *o, const struct line *l, int64_t j)
{
    const int64_t first = j * step - l->before;

    for (int64_t v = 0; v < PV; v++) {
        int64_t at = first * LANES + v * VL;
        const float *w = l->w + v * VL;
        vf a[TILE];

        EACH (i, n)
            a[i] = VF0;
        for (int64_t t = 0; t < l->taps; t++, at += l->step, w += taps * LANES)
            taps_row(raw, n, taps, step, edge, l->x, at, -first, l->width - first, w, a);
        store(n, d, o, l, j, v * VL, a);
    }
}

/* Tiles of N from output J on.  */
INLINE int64_t tiles(const int raw, const int n, const int taps, const int step, const struct dw *d,
                     const struct outputs *o, const struct line *l, int64_t j)
{
    for (const int64_t out = d->w.out[1]; j + n <= out; j += n) {
        const int64_t first = j * step - l->before;

        if (first >= 0 && first + (n - 1) * step + taps <= l->width)
            tile(raw, n, taps, step, 0, d, o, l, j);
        else
            tile(raw, n, taps, step, 1, d, o, l, j);
    }
    return j;
}

INLINE void outputs_of(const int raw, const int taps, const int step, const struct dw *d,
                       const struct outputs *o)
{
    /* seven taps and eight sums are more than 16 registers */
    const int sevens = taps == 7 || (d->w.out[1] % SEVEN == 0 && d->w.out[1] % TILE);
    struct line l = line_of(d, o);

    for (int64_t i = o->first; i < o->end; i++) {
        turn_to(d, o, i, &l);
        int64_t j = sevens ? tiles(raw, SEVEN, taps, step, d, o, &l, 0)
                           : tiles(raw, TILE, taps, step, d, o, &l, 0);

        j = tiles(raw, 4, taps, step, d, o, &l, j);
        tiles(raw, 1, taps, step, d, o, &l, j);
    }
}

/* One output, of any taps.  */
static void one(const struct dw *d, const struct outputs *o, const struct line *l, int64_t j)
{
    int64_t w0, lo, hi;
    vf a[PV];

    window_taps(&d->w, 1, j, &w0, &lo, &hi);
    EACH (v, PV)
        a[v] = VF0;
    for (int64_t t = 0; t < l->taps; t++)
        for (int64_t s = lo; s < hi; s++) {
            const int64_t w = o->margin + w0 + s * d->w.dilation[1];
            const float *k = l->w + (t * d->w.kernel[1] + s) * LANES;

            EACH (v, PV)
                a[v] = vf_fma(load(o->raw, l->x, t * l->step + w * LANES + v * VL),
                              vf_load(k + v * VL), a[v]);
        }
    EACH (v, PV)
        store(1, d, o, l, j, v * VL, &a[v]);
}

static void outputs_of_any(const struct dw *d, const struct outputs *o)
{
    struct line l = line_of(d, o);

    for (int64_t i = o->first; i < o->end; i++) {
        turn_to(d, o, i, &l);
        for (int64_t j = 0; j < d->w.out[1]; j++)
            one(d, o, &l, j);
    }
}

/* All outputs read x, and those at its ends leave out less than all their taps. */
static int ends_are_narrow(const struct dw *d, const struct outputs *o)
{
    const int64_t before = d->w.pad[1] - o->margin;

    return before < d->w.kernel[1] && (d->w.out[1] - 1) * d->w.stride[1] - before < o->width;
}

INLINE void fill(const int raw, const struct dw *d, const struct outputs *o)
{
    const int64_t step = d->w.stride[1];
    const int64_t taps = d->w.dilation[1] == 1 && ends_are_narrow(d, o) ? d->w.kernel[1] : 0;

    if (taps == 3 && step == 1)
        outputs_of(raw, 3, 1, d, o);
    else if (taps == 3 && step == 2)
        outputs_of(raw, 3, 2, d, o);
    else if (taps == 5 && step == 1)
        outputs_of(raw, 5, 1, d, o);
    else if (taps == 5 && step == 2)
        outputs_of(raw, 5, 2, d, o);
    else if (taps == 7 && step == 1)
        outputs_of(raw, 7, 1, d, o);
    else
        outputs_of_any(d, o);
}

/* Floats are read alike wherever they lie.  */
static void fill_raw(const struct dw *d, const struct outputs *o)
{
    fill(1, d, o);
}

static void fill_copied(const struct dw *d, const struct outputs *o)
{
    fill(sizeof(elem) == sizeof(float), d, o);
}

/* X is read where it lies: numbers of bf16, which are widened as often as they are
 * read, from wide rows alone.  */
static int in_place(const struct dw *d)
{
    enum { WIDE = 15 };

    return d->x.kind == READ_PLAIN && (sizeof(elem) == sizeof(float) || d->w.out[1] >= WIDE);
}

/* Rows [*FROM, *END) of x that output rows [FIRST, LAST) read.  */
static void rows_read(const struct window *w, int64_t first, int64_t last, int64_t *from,
                      int64_t *end)
{
    const int64_t low = first * w->stride[0] - w->pad[0];
    const int64_t high =
        (last - 1) * w->stride[0] - w->pad[0] + (w->kernel[0] - 1) * w->dilation[0] + 1;

    *from = low > 0 ? low : 0;
    *end = high < w->in[0] ? high : w->in[0];
}

/* Pixels of a row of a copy: with the padding that outputs read.  */
static int64_t copy_width(const struct window *w)
{
    const int64_t inside = w->pad[1] + w->in[1];
    const int64_t read = (w->out[1] - 1) * w->stride[1] + (w->kernel[1] - 1) * w->dilation[1] + 1;

    return inside > read ? inside : read;
}

/* X of O's rows as it is computed, zeros beside it, to TO; O reads there.  */
static void copy_x(const struct dw *d, float *to, struct outputs *o)
{
    const int64_t margin = d->w.pad[1] * LANES, in = d->w.in[1] * LANES;
    int64_t from, end;

    rows_read(&d->w, o->first, o->end, &from, &end);
    o->margin = d->w.pad[1];
    o->width = copy_width(&d->w);
    o->x = to - from * o->width * LANES;
    for (; from < end; from++, to += o->width * LANES) {
        memset(to, 0, (size_t)margin * sizeof *to);
        lanes_line(&d->x, (o->plane * d->w.in[0] + from) * in, o->plane % d->groups, d->w.in[1], 1,
                   to + margin);
        memset(to + margin + in, 0, (size_t)(o->width * LANES - margin - in) * sizeof *to);
    }
}

/* Bands run slower than groups: a thread has the rows that it wrote.  */
static void task(void *dw, int64_t task, int thread)
{
    const struct dw *d = dw;
    const int64_t row = d->w.out[1] * LANES, group = task % d->groups;
    const int64_t image = task / d->groups / d->bands, index = task / d->groups % d->bands;
    vf sum[PV][STEP_SIDES][WRITER_SUMS];
    struct outputs o = {.plane = image * d->groups + group, .sum = sum};

    memset(sum, 0, sizeof sum);
    o.lane = group * LANES;
    o.w = d->weight + o.lane * d->w.kernel[0] * d->w.kernel[1];
    o.first = piece(d->w.out[0], d->bands, index);
    o.end = piece(d->w.out[0], d->bands, index + 1);
    if (in_place(d)) {
        o.x = (const elem *)d->x.x + o.plane * d->w.in[0] * d->w.in[1] * LANES;
        o.raw = 1;
        o.width = d->w.in[1];
        fill_raw(d, &o);
    } else {
        copy_x(d, d->scratch + (size_t)thread * d->copy_floats, &o);
        fill_copied(d, &o);
    }
    if (lanes_simple(&d->y) && act_is_curved(d->y.f.act))
        lanes_activate(&d->y, (o.plane * d->w.out[0] + o.first) * row, (o.end - o.first) * row);
    for (int v = 0; v < PV; v++)
        lanes_sums(&d->y, image * d->bands + index, o.lane + v * VL, sum[v]);
}

/* Floats of a copy of what a task reads.  */
static size_t forward_floats(const struct dw *d)
{
    const int64_t rows = (ROWS - 1) * d->w.stride[0] + (d->w.kernel[0] - 1) * d->w.dilation[0] + 1;

    return in_place(d) ? 0 : (size_t)(rows * copy_width(&d->w) * LANES);
}

#include "cpu/dwconv2d_grad.inc"

/* ---- the record ---- */

/* Tables of the readers, what is written, sums of gradients, copies of the
 * threads.  */
static size_t scratch(const struct step_nodes *s, int threads)
{
    struct dw d = dw_of(s);
    size_t sums = 0, copy;

    d.x.kind = s->lazy & LAZY_X ? READ_APPLY : READ_PLAIN;
    if (s->node[0]->dir == DIR_FORWARD) {
        copy = forward_floats(&d);
    } else {
        copy = grad_floats(&d);
        sums = sums_floats(&d);
    }
    return (2 * reader_floats(d.c) + writer_floats(s, d.c, d.n * d.bands) + sums +
            copy * (size_t)threads) *
           sizeof(float);
}

static void backward(const struct kernel_args *a)
{
    struct dw d = dw_of(a->step);
    float *table = a->scratch, *rest = table + 2 * reader_floats(d.c);
    const int64_t rows = d.n * d.bands;

    d.weight = a->packed[WEIGHT];
    d.dy = reader_of(&a->op.dout[0], a->lazy_dy, table);
    d.x = reader_of(&a->op.in[X], a->lazy_x, table + reader_floats(d.c));
    d.dx = a->op.din[X].data != NULL;
    d.sums = a->op.din[WEIGHT].data ? (double *)rest : NULL;
    rest += sums_floats(&d);
    if (d.dx)
        d.y = writer_of(a, a->op.din[X].data, d.c, NULL, rows, rest);
    d.scratch = rest + writer_floats(a->step, d.c, rows);
    d.copy_floats = grad_floats(&d);
    pool_run(a->pool, d.chunks * d.groups, grad_task, &d);
    if (d.dx)
        writer_end(&d.y, a, rows);
    if (d.sums)
        add_chunks(&d, a->op.din[WEIGHT].data);
    if (a->op.din[BIAS].data)
        bias_grad_run(lanes_bias, a, &d.dy);
}

static size_t pack_bytes(const struct step_nodes *s, int i)
{
    const struct dw d = dw_of(s);

    return i == WEIGHT ? (size_t)(d.groups * LANES * d.w.kernel[0] * d.w.kernel[1]) * sizeof(float)
                       : 0;
}

/* W[c][r][s] as [c/16][r][s][c].  */
static void pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    const struct dw d = dw_of(s);
    const int64_t taps = d.w.kernel[0] * d.w.kernel[1];
    const float *w = t->data;
    float *to = packed;

    (void)i;
    for (int64_t g = 0; g < d.groups; g++)
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t c = g * LANES; c < (g + 1) * LANES; c++)
                *to++ = c < d.c ? w[c * taps + tap] : 0;
}

static void run(const struct kernel_args *a)
{
    struct dw d = dw_of(a->step);
    float *table = a->scratch, *rest = table + 2 * reader_floats(d.c);
    const int64_t rows = d.n * d.bands;

    d.weight = a->packed[WEIGHT];
    d.x = reader_of(&a->op.in[X], a->lazy_x, table);
    d.y = writer_of(a, a->op.out[0].data, d.c, a->op.in[BIAS].data, rows, rest);
    d.scratch = rest + writer_floats(a->step, d.c, rows);
    d.copy_floats = forward_floats(&d);
    pool_run(a->pool, d.n * d.groups * d.bands, task, &d);
    writer_end(&d.y, a, rows);
}

/* clang-format off */
#define COMMON .name = "dwconv2d_blocked_" ISA_NAME, .op = "conv2d", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .reads = ELEM_LAYOUT, .writes = ELEM_LAYOUT, .pulls = 1, \
    .accepts = accepts, .scratch = scratch, .pack_bytes = pack_bytes, .pack = pack
/* clang-format on */

const struct kernel ISA(dwconv2d_blocked_kernels)[] = {
    {COMMON, .dir = DIR_FORWARD, .epilogue = follow_names, .side = "bnstats", .lazy = LAZY_X,
     .run = run},
    {COMMON, .dir = DIR_BACKWARD, .epilogue = writer_back_names, .side = "bnsums",
     .lazy = LAZY_X | LAZY_DY | LAZY_FOLLOW, .run = backward},
    {0},
};
