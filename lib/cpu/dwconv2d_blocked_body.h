/* dwconv2d_blocked_body.h -- depthwise convolution of blocked values;
 * compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Channels are lanes, so nothing is shuffled: a tile of neighbouring outputs
 * stays in registers, each number of x is loaded once for all the taps of a
 * row that need it.  Taps that fall outside are left out.
 *
 * The gradient of x at stride 1 is the same with the filter turned; else each
 * number of it gathers what it fed.  Gradients of the weights are vertical
 * too: a sum for each tap over the pixels of an image, then over the images of
 * a chunk and the chunks in double.  */
#include "base/thread.h"
#include "cpu/follow.h"
#include "cpu/kernels.h"
#include "cpu/vec.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

enum { X, WEIGHT, BIAS };
enum { PV = LANES / VL, TILE = 8, ROWS = 8, MOST_TAPS = 8, CHUNKS = 16 };

struct dw {
    struct window w;
    int64_t n, c, groups; /* of 16 channels */
    int64_t bands;
    int64_t chunks, per_chunk; /* images */
    const float *x, *weight, *scale, *shift;
    float *y;
    struct follow f;
    const float *dy;
    double *sums;
    int want_db;
};

static const struct shape *shape_of_x(const struct node *n)
{
    return n->in[X] ? &n->in[X]->shape : &n->in_shape[X];
}

static struct dw dw_of(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct value *out = n->dir == DIR_BACKWARD ? n->in[n->n_in - 1] : n->out[0];
    const struct shape x = shape_bind(*shape_of_x(n), s->batch);
    const struct shape y = shape_bind(out->shape, s->batch);
    struct dw d = {.w = window_of(n, &x, &y), .n = x.dim[0], .c = x.dim[1]};

    d.groups = (d.c + LANES - 1) / LANES;
    d.bands = (d.w.out[0] + ROWS - 1) / ROWS;
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
           w->shape.dim[3] <= MOST_TAPS && (n->dir == DIR_BACKWARD || follow_accepts(s));
}

/* Both strides are 1: the gradient of x is a convolution of dy.  */
static int turns(const struct dw *d)
{
    return d->w.stride[0] == 1 && d->w.stride[1] == 1;
}

/* ---- outputs ---- */

INLINE void store(const struct dw *d, int64_t at, int64_t lane, vf v)
{
    v = vf_fma(v, vf_load(d->scale + lane), vf_load(d->shift + lane));
    if (d->f.add)
        v = v + vf_load(d->f.add + at);
    vf_store(d->y + at, vf_act((enum act)d->f.act, v, VF1(d->f.lo), VF1(d->f.hi)));
}

/* A row of taps over a tile of N outputs, all inside x.  */
INLINE void taps_row(const int n, const int taps, const int step, const float *x, const float *w,
                     vf *a)
{
    vf b[MOST_TAPS];

    EACH (s, taps)
        b[s] = vf_load(w + s * LANES);
    EACH (q, (n - 1) * step + taps) {
        const vf v = vf_load(x + q * LANES);

        EACH (s, taps)
            if (q >= s && (q - s) % step == 0 && (q - s) / step < n)
                a[(q - s) / step] = vf_fma(v, b[s], a[(q - s) / step]);
    }
}

/* Where an output row reads: x at (h0, 0), taps [r0, r1) inside.  */
struct line {
    const float *x, *w;
    int64_t h0, r0, r1;
    int64_t y; /* of its first output */
    int64_t lane;
};

static void one(const struct dw *d, const struct line *l, int64_t j)
{
    int64_t w0, s0, s1;
    vf a[PV];

    window_taps(&d->w, 1, j, &w0, &s0, &s1);
    EACH (v, PV)
        a[v] = VF0;
    for (int64_t r = l->r0; r < l->r1; r++)
        for (int64_t s = s0; s < s1; s++) {
            const int64_t h = l->h0 + r * d->w.dilation[0], w = w0 + s * d->w.dilation[1];
            const float *x = l->x + (h * d->w.in[1] + w) * LANES;
            const float *k = l->w + (r * d->w.kernel[1] + s) * LANES;

            EACH (v, PV)
                a[v] = vf_fma(vf_load(x + v * VL), vf_load(k + v * VL), a[v]);
        }
    EACH (v, PV)
        store(d, l->y + j * LANES + v * VL, l->lane + v * VL, a[v]);
}

INLINE void tile(const int n, const int taps, const int step, const struct dw *d,
                 const struct line *l, int64_t j)
{
    const int64_t w0 = j * step - d->w.pad[1];

    for (int64_t v = 0; v < PV; v++) {
        vf a[TILE];

        EACH (i, n)
            a[i] = VF0;
        for (int64_t r = l->r0; r < l->r1; r++)
            taps_row(n, taps, step,
                     l->x + ((l->h0 + r * d->w.dilation[0]) * d->w.in[1] + w0) * LANES + v * VL,
                     l->w + r * taps * LANES + v * VL, a);
        EACH (i, n)
            store(d, l->y + (j + i) * LANES + v * VL, l->lane + v * VL, a[i]);
    }
}

/* Outputs [A, B) of a row read inside x at every tap.  */
static void inside(const struct dw *d, int64_t *a, int64_t *b)
{
    const int64_t step = d->w.stride[1], reach = (d->w.kernel[1] - 1) * d->w.dilation[1];
    const int64_t last = d->w.in[1] - 1 - reach + d->w.pad[1];

    *a = (d->w.pad[1] + step - 1) / step;
    *b = last < 0 ? 0 : last / step + 1;
    *b = *b < d->w.out[1] ? *b : d->w.out[1];
    *a = *a < *b ? *a : *b;
}

INLINE void line_of(const int taps, const int step, const struct dw *d, const struct line *l)
{
    int64_t a, b, j = 0;

    inside(d, &a, &b);
    for (; j < a; j++)
        one(d, l, j);
    for (; j + TILE <= b; j += TILE)
        tile(TILE, taps, step, d, l, j);
    for (; j + 4 <= b; j += 4)
        tile(4, taps, step, d, l, j);
    for (; j < b; j++)
        tile(1, taps, step, d, l, j);
    for (; j < d->w.out[1]; j++)
        one(d, l, j);
}

static void line(const struct dw *d, const struct line *l)
{
    const int64_t taps = d->w.kernel[1], step = d->w.stride[1];

    if (d->w.dilation[1] == 1 && taps == 3 && step == 1)
        line_of(3, 1, d, l);
    else if (d->w.dilation[1] == 1 && taps == 3 && step == 2)
        line_of(3, 2, d, l);
    else if (d->w.dilation[1] == 1 && taps == 5 && step == 1)
        line_of(5, 1, d, l);
    else if (d->w.dilation[1] == 1 && taps == 5 && step == 2)
        line_of(5, 2, d, l);
    else
        for (int64_t j = 0; j < d->w.out[1]; j++)
            one(d, l, j);
}

static void task(void *dw, int64_t task, int thread)
{
    const struct dw *d = dw;
    const int64_t plane = task / d->bands, group = plane % d->groups;
    const int64_t first = task % d->bands * ROWS;
    const int64_t end = first + ROWS < d->w.out[0] ? first + ROWS : d->w.out[0];
    struct line l = {
        .x = d->x + plane * d->w.in[0] * d->w.in[1] * LANES,
        .w = d->weight + group * d->w.kernel[0] * d->w.kernel[1] * LANES,
        .lane = group * LANES,
    };

    (void)thread;
    for (int64_t i = first; i < end; i++) {
        window_taps(&d->w, 0, i, &l.h0, &l.r0, &l.r1);
        l.y = (plane * d->w.out[0] + i) * d->w.out[1] * LANES;
        line(d, &l);
    }
}

/* ---- gradients ---- */

/* dx[h][w] gathers dy w over the taps that read it.  */
static void gather_pixel(const struct dw *d, const float *dy, const float *k, int64_t h, int64_t w,
                         float *dx)
{
    vf a[PV];

    EACH (v, PV)
        a[v] = VF0;
    for (int64_t r = 0; r < d->w.kernel[0]; r++)
        for (int64_t s = 0; s < d->w.kernel[1]; s++) {
            const int64_t i = h + d->w.pad[0] - r * d->w.dilation[0];
            const int64_t j = w + d->w.pad[1] - s * d->w.dilation[1];
            const int64_t p = i / d->w.stride[0], q = j / d->w.stride[1];

            if (i < 0 || j < 0 || i % d->w.stride[0] || j % d->w.stride[1] || p >= d->w.out[0] ||
                q >= d->w.out[1])
                continue;
            const float *from = dy + (p * d->w.out[1] + q) * LANES;
            const float *tap = k + (r * d->w.kernel[1] + s) * LANES;

            EACH (v, PV)
                a[v] = vf_fma(vf_load(from + v * VL), vf_load(tap + v * VL), a[v]);
        }
    EACH (v, PV)
        vf_store(dx + v * VL, a[v]);
}

static void gather_task(void *dw, int64_t plane, int thread)
{
    const struct dw *d = dw;
    const float *dy = d->x + plane * d->w.out[0] * d->w.out[1] * LANES;
    const float *k = d->weight + plane % d->groups * d->w.kernel[0] * d->w.kernel[1] * LANES;
    float *dx = d->y + plane * d->w.in[0] * d->w.in[1] * LANES;

    (void)thread;
    for (int64_t h = 0; h < d->w.in[0]; h++)
        for (int64_t w = 0; w < d->w.in[1]; w++, dx += LANES)
            gather_pixel(d, dy, k, h, w, dx);
}

/* a[tap] += x dy over outputs [FROM, END) of a row, all taps inside.  */
INLINE void products(const int taps, int64_t step, const float *x, const float *dy, int64_t from,
                     int64_t end, vf *a)
{
    for (int64_t j = from; j < end; j++) {
        const vf v = vf_load(dy + j * LANES);

        EACH (s, taps)
            a[s] = vf_fma(vf_load(x + (j * step + s) * LANES), v, a[s]);
    }
}

/* The same at the edges of a row, tap by tap.  */
static void edge(const struct dw *d, const float *x, const float *dy, int64_t from, int64_t end,
                 vf *a)
{
    for (int64_t j = from; j < end; j++) {
        int64_t w0, s0, s1;

        window_taps(&d->w, 1, j, &w0, &s0, &s1);
        for (int64_t s = s0; s < s1; s++)
            a[s] = vf_fma(vf_load(x + (w0 + s * d->w.dilation[1]) * LANES), vf_load(dy + j * LANES),
                          a[s]);
    }
}

/* Tap row R over one image: sums of its taps, one vector of their lanes.  */
static void tap_row(const struct dw *d, const float *x, const float *dy, int64_t r, float *sum)
{
    const int64_t taps = d->w.kernel[1], step = d->w.stride[1];
    vf a[MOST_TAPS];
    int64_t from, end;

    inside(d, &from, &end);
    if (d->w.dilation[1] != 1 || (taps != 3 && taps != 5))
        from = end = 0;
    for (int64_t s = 0; s < taps; s++)
        a[s] = VF0;
    for (int64_t i = 0; i < d->w.out[0]; i++, dy += d->w.out[1] * LANES) {
        const int64_t h = i * d->w.stride[0] - d->w.pad[0] + r * d->w.dilation[0];
        const float *row = x + h * d->w.in[1] * LANES;

        if (h < 0 || h >= d->w.in[0])
            continue;
        edge(d, row, dy, 0, from, a);
        if (taps == 3)
            products(3, step, row - d->w.pad[1] * LANES, dy, from, end, a);
        else if (taps == 5)
            products(5, step, row - d->w.pad[1] * LANES, dy, from, end, a);
        edge(d, row, dy, end, d->w.out[1], a);
    }
    for (int64_t s = 0; s < taps; s++)
        vf_store(sum + s * LANES, a[s]);
}

/* Sums of a chunk of images for 16 channels: [tap][16] doubles, then those of
 * dy.  */
static void wgrad_task(void *dw, int64_t task, int thread)
{
    const struct dw *d = dw;
    const int64_t chunk = task / d->groups, group = task % d->groups;
    const int64_t taps = d->w.kernel[0] * d->w.kernel[1] * LANES, row = d->w.kernel[1] * LANES;
    const int64_t in = d->w.in[0] * d->w.in[1] * LANES, out = d->w.out[0] * d->w.out[1] * LANES;
    const int64_t last = (chunk + 1) * d->per_chunk < d->n ? (chunk + 1) * d->per_chunk : d->n;
    double *sum = d->sums + task * (taps + LANES);
    float part[MOST_TAPS * LANES];

    (void)thread;
    memset(sum, 0, (size_t)(taps + LANES) * sizeof *sum);
    for (int64_t n = chunk * d->per_chunk; n < last; n++) {
        const float *x = d->x + (n * d->groups + group) * in;
        const float *dy = d->dy + (n * d->groups + group) * out;

        for (int64_t r = 0; r < d->w.kernel[0]; r++) {
            for (int64_t v = 0; v < LANES; v += VL)
                tap_row(d, x + v, dy + v, r, part + v);
            for (int64_t i = 0; i < row; i++)
                sum[r * row + i] += part[i];
        }
        for (int64_t i = 0; d->want_db && i < out; i++)
            sum[taps + i % LANES] += dy[i];
    }
}

/* dw[c][r][s] and db[c] from the chunks, in order.  */
static void add_chunks(const struct dw *d, float *dw, float *db)
{
    const int64_t taps = d->w.kernel[0] * d->w.kernel[1], size = (taps + 1) * LANES;

    for (int64_t c = 0; c < d->c; c++)
        for (int64_t t = 0; t <= taps; t++) {
            double sum = 0;

            for (int64_t i = 0; i < d->chunks; i++)
                sum += d->sums[(i * d->groups + c / LANES) * size + t * LANES + c % LANES];
            if (t == taps && db)
                db[c] = (float)sum;
            else if (t < taps && dw)
                dw[c * taps + t] = (float)sum;
        }
}

static void run_dx(const struct kernel_args *a, struct dw d)
{
    float *table = a->scratch;

    d.x = a->op.dout[0].data;
    d.y = a->op.din[X].data;
    d.weight = a->packed[WEIGHT];
    if (!turns(&d)) {
        pool_run(a->pool, d.n * d.groups, gather_task, &d);
        return;
    }
    for (int i = 0; i < 2; i++) {
        const int64_t in = d.w.in[i];

        d.w.in[i] = d.w.out[i];
        d.w.out[i] = in;
        d.w.pad[i] = (d.w.kernel[i] - 1) * d.w.dilation[i] - d.w.pad[i];
    }
    d.bands = (d.w.out[0] + ROWS - 1) / ROWS;
    for (int64_t i = 0; i < d.groups * LANES; i++) {
        table[i] = 1;
        table[d.groups * LANES + i] = 0;
    }
    d.scale = table;
    d.shift = table + d.groups * LANES;
    pool_run(a->pool, d.n * d.groups * d.bands, task, &d);
}

static void backward(const struct kernel_args *a)
{
    struct dw d = dw_of(a->step);
    float *dw = a->op.din[WEIGHT].data, *db = a->op.din[BIAS].data;

    if (a->op.din[X].data)
        run_dx(a, d);
    if (!dw && !db)
        return;
    d.x = a->op.in[X].data;
    d.dy = a->op.dout[0].data;
    d.sums = a->scratch;
    d.want_db = db != NULL;
    pool_run(a->pool, d.chunks * d.groups, wgrad_task, &d);
    add_chunks(&d, dw, db);
}

/* ---- the record ---- */

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct dw d = dw_of(s);
    const size_t table = (size_t)(2 * d.groups * LANES) * sizeof(float);
    const size_t sums = (size_t)(d.chunks * d.groups * LANES) *
                        (size_t)(d.w.kernel[0] * d.w.kernel[1] + 1) * sizeof(double);

    (void)threads;
    return s->node[0]->dir == DIR_BACKWARD && sums > table ? sums : table;
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
    const int turned = s->node[0]->dir == DIR_BACKWARD && turns(&d);
    const float *w = t->data;
    float *to = packed;

    (void)i;
    for (int64_t g = 0; g < d.groups; g++)
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t c = g * LANES; c < (g + 1) * LANES; c++)
                *to++ = c < d.c ? w[c * taps + (turned ? taps - 1 - tap : tap)] : 0;
}

static void run(const struct kernel_args *a)
{
    struct dw d = dw_of(a->step);
    float *table = a->scratch;

    d.x = a->op.in[X].data;
    d.y = a->op.out[0].data;
    d.weight = a->packed[WEIGHT];
    d.f = follow_lanes(a, d.c, a->op.in[BIAS].data, table);
    d.scale = d.f.scale;
    d.shift = d.f.shift;
    pool_run(a->pool, d.n * d.groups * d.bands, task, &d);
}

/* clang-format off */
#define COMMON .name = "dwconv2d_blocked_" ISA_NAME, .op = "conv2d", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .reads = LAYOUT_C16, .writes = LAYOUT_C16, .pulls = 1, \
    .accepts = accepts, .scratch = scratch, .pack_bytes = pack_bytes, .pack = pack
/* clang-format on */

const struct kernel ISA(dwconv2d_blocked_kernels)[] = {
    {COMMON, .dir = DIR_FORWARD, .epilogue = follow_names, .run = run},
    {COMMON, .dir = DIR_BACKWARD, .run = backward},
    {0},
};
