/* dwconv2d_blocked_body.h -- depthwise convolution of blocked values;
 * compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Channels are lanes, so nothing is shuffled: a tile of neighbouring outputs
 * stays in registers, each number of x is loaded once for all the taps of a
 * row that need it.  Taps that fall outside are left out.  */
#include "base/thread.h"
#include "cpu/follow.h"
#include "cpu/kernels.h"
#include "cpu/vec.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

enum { X, WEIGHT, BIAS };
enum { PV = LANES / VL, TILE = 8, ROWS = 8, MOST_TAPS = 8 };

struct dw {
    struct window w;
    int64_t n, c, groups; /* of 16 channels */
    int64_t bands;
    const float *x, *weight, *scale, *shift;
    float *y;
    struct follow f;
};

static struct dw dw_of(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape x = shape_bind(n->in[X]->shape, s->batch);
    const struct shape y = shape_bind(n->out[0]->shape, s->batch);
    struct dw d = {.w = window_of(n, &x, &y), .n = x.dim[0], .c = x.dim[1]};

    d.groups = (d.c + LANES - 1) / LANES;
    d.bands = (d.w.out[0] + ROWS - 1) / ROWS;
    return d;
}

static int accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const int64_t c = n->in[X]->shape.dim[1];

    return value_is_tensor(n->in[WEIGHT]) && attr_int(n, "groups") == c && c > 1 &&
           n->out[0]->shape.dim[1] == c && n->in[WEIGHT]->shape.dim[3] <= MOST_TAPS &&
           follow_accepts(s);
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

/* ---- the record ---- */

static size_t scratch(const struct step_nodes *s, int threads)
{
    (void)threads;
    return (size_t)(2 * dw_of(s).groups * LANES) * sizeof(float);
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
    float *table = a->scratch;

    d.x = a->op.in[X].data;
    d.y = a->op.out[0].data;
    d.weight = a->packed[WEIGHT];
    d.f = follow_lanes(a, d.c, a->op.in[BIAS].data, table);
    d.scale = d.f.scale;
    d.shift = d.f.shift;
    pool_run(a->pool, d.n * d.groups * d.bands, task, &d);
}

const struct kernel ISA(dwconv2d_blocked_kernels)[] = {
    {.name = "dwconv2d_blocked_" ISA_NAME,
     .op = "conv2d",
     .dir = DIR_FORWARD,
     .isa = ISA_BITS,
     .dtypes = 1 << DTYPE_F32,
     .reads = LAYOUT_C16,
     .writes = LAYOUT_C16,
     .pulls = 1,
     .epilogue = follow_names,
     .accepts = accepts,
     .scratch = scratch,
     .pack_bytes = pack_bytes,
     .pack = pack,
     .run = run},
    {0},
};
