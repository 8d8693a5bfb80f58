/* conv2d_gemm.c -- see conv2d_gemm.h: geometry, cutting and packing; the
 * arithmetic is in conv2d_gemm_body.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/conv2d_gemm.h"

#include <string.h>

#include "base/err.h"
#include "base/thread.h"
#include "cpu/round.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

enum { X, WEIGHT, BIAS };

/* Bytes that a task's copy of x, and a packed panel, may take of the second
 * level of cache.  */
enum { COPY_BYTES = 256 << 10, PANEL_TAPS = 768, MAX_PHASES = 16 };

/* Pixels that a thread takes at once of small depthwise planes.  */
enum { GRAIN = 2048 };

/* Per channel: scale, shift.  */
enum { TABLES = 2 };

/* Floats behind each region of scratch: whole vectors are read there.  */
enum { SLACK = 64 };

/* ---- geometry ---- */

struct conv {
    struct window w;
    int64_t n, groups, c, o; /* channels of a group */
};

static struct shape bound(const struct step_nodes *s, const struct value *v)
{
    return shape_bind(v->shape, s->batch);
}

static struct conv conv_of(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct value *out = n->dir == DIR_BACKWARD ? n->in[n->n_in - 1] : n->out[0];
    const struct shape x = bound(s, n->in[X]), y = bound(s, out);
    struct conv v = {.w = window_of(n, &x, &y)};

    v.n = x.dim[0];
    v.groups = attr_int(n, "groups");
    v.c = x.dim[1] / v.groups;
    v.o = y.dim[1] / v.groups;
    return v;
}

static void taps_bounds(struct taps *t)
{
    const int64_t last = t->first + (t->n - 1) * t->skip;

    t->low = t->first < last ? t->first : last;
    t->high = t->first < last ? last : t->first;
    if (!t->n)
        t->low = t->high = 0;
}

static struct sweep forward_sweep(const struct conv *v)
{
    const int64_t area = v->w.kernel[0] * v->w.kernel[1];
    struct sweep s = {.n = v->n, .groups = v->groups, .c = v->c, .o = v->o};

    for (int d = 0; d < 2; d++) {
        s.in[d] = v->w.in[d];
        s.out[d] = s.map[d] = v->w.out[d];
        s.step[d] = v->w.stride[d];
        s.map_step[d] = 1;
        s.t[d] = (struct taps){v->w.kernel[d], -v->w.pad[d], v->w.dilation[d], 0, 0, 0, 1};
        taps_bounds(&s.t[d]);
    }
    s.w_o = v->c * area;
    s.w_c = area;
    s.w_g = v->o * s.w_o;
    s.w_row = v->w.kernel[1];
    s.k = v->c * s.t[0].n * s.t[1].n;
    return s;
}

/* The taps whose products reach inputs AT, AT + stride, ... along direction
 * D: those r for which AT + pad - r dil is a multiple of the stride.  */
static struct taps backward_taps(const struct window *w, int d, int64_t at)
{
    const int64_t skip = w->stride[d] / gcd(w->stride[d], w->dilation[d]);
    struct taps t = {.k_skip = skip, .skip = -skip * w->dilation[d] / w->stride[d]};
    int64_t r = 0;

    while (r < skip && (at + w->pad[d] - r * w->dilation[d]) % w->stride[d])
        r++;
    if (r == skip || r >= w->kernel[d])
        return (struct taps){.k_skip = 1};
    t.kernel = r;
    t.first = (at + w->pad[d] - r * w->dilation[d]) / w->stride[d];
    t.n = up(w->kernel[d] - r, skip);
    taps_bounds(&t);
    return t;
}

/* The gradient of x at the inputs AT[0] + i stride, AT[1] + j stride.  */
static struct sweep backward_sweep(const struct conv *v, const int64_t at[2])
{
    const int64_t area = v->w.kernel[0] * v->w.kernel[1];
    struct sweep s = {.n = v->n, .groups = v->groups, .c = v->o, .o = v->c};

    for (int d = 0; d < 2; d++) {
        s.in[d] = v->w.out[d];
        s.map[d] = v->w.in[d];
        s.map_step[d] = v->w.stride[d];
        s.map_at[d] = at[d];
        s.out[d] = up(v->w.in[d] - at[d], v->w.stride[d]);
        s.step[d] = 1;
        s.t[d] = backward_taps(&v->w, d, at[d]);
    }
    s.w_o = area;
    s.w_c = v->c * area;
    s.w_g = v->o * s.w_c;
    s.w_row = v->w.kernel[1];
    s.k = v->o * s.t[0].n * s.t[1].n;
    return s;
}

/* ---- cutting ---- */

/* Every tap of every output lies inside x, and outputs are neighbours.  */
static int no_padding(const struct sweep *s)
{
    if (s->step[1] != 1)
        return 0;
    for (int d = 0; d < 2; d++)
        if (s->t[d].low < 0 || (s->out[d] - 1) * s->step[d] + s->t[d].high >= s->in[d])
            return 0;
    return 1;
}

/* A map of one row, where rows do not matter.  */
static void flatten(struct sweep *s)
{
    if (s->t[0].n * s->t[1].n != 1 || s->step[0] != 1 || s->map_step[0] != 1 ||
        s->map_step[1] != 1 || s->out[0] != s->in[0] || s->out[1] != s->in[1])
        return;
    s->in[1] *= s->in[0];
    s->out[1] *= s->out[0];
    s->map[1] *= s->map[0];
    s->in[0] = s->out[0] = s->map[0] = 1;
}

/* Rows of x that ROWS rows of the grid read.  */
static int64_t input_rows(const struct sweep *s, int64_t rows)
{
    return (rows - 1) * s->step[0] + s->t[0].high - s->t[0].low + 1;
}

static void cut_copy(const struct conv_isa *isa, struct sweep *s)
{
    const int64_t width = (s->out[1] - 1) * s->step[1] + s->t[1].high - s->t[1].low + 1;

    s->phase = up(width, s->step[1]);
    s->row = s->phase * s->step[1];
    s->copy = isa->depthwise || !no_padding(s);
    if (!s->copy)
        s->row = s->phase = s->in[1];
}

/* Bands of whole rows (of pixels where there is one row) whose input fits the
 * cache, and enough of them for THREADS.  */
static void cut_bands(const struct conv_isa *isa, struct sweep *s, int threads)
{
    const int64_t pixels = s->out[0] * s->out[1];
    const int64_t per_row = s->c * s->row * (int64_t)sizeof(float) * s->step[0];
    const int nr = isa->nr;
    int64_t rows = s->out[0], unit = s->out[1];

    if (s->out[0] == 1 && !isa->depthwise) {
        unit = nr;
        rows = up(pixels, nr);
    } else if (s->copy) {
        while (rows > 1 && rows * per_row > COPY_BYTES && rows * s->out[1] > nr)
            rows = (rows + 1) / 2;
    }
    while (threads > 1 && rows > 1 && rows * unit >= 4 * nr &&
           s->n * s->groups * up(pixels, rows * unit) < 2 * threads)
        rows = (rows + 1) / 2;
    s->band = rows * unit;
    s->bands = up(pixels, s->band);
    s->rows = s->out[0] == 1 ? input_rows(s, 1) : input_rows(s, rows);
    s->plane = s->copy ? s->rows * s->row : s->in[0] * s->in[1];
}

static void cut_parts(struct sweep *s, int mr, int threads)
{
    const int64_t blocks = up(s->o, mr);
    const int64_t tasks = s->n * s->groups * s->bands;
    int64_t parts = 1;

    if (threads > 1 && tasks < 2 * threads)
        parts = least(blocks, up(2 * threads, tasks));
    s->part = up(blocks, parts);
    s->parts = up(blocks, s->part);
}

/* Scratch: off[2 k] (as int32) and the two tables of the epilogue for all
 * threads; then for each a copy, a panel and a strip of tiles.  Returns the
 * floats of one thread.  */
static size_t cut(const struct conv_isa *isa, struct sweep *s, int threads)
{
    size_t at = 0;

    if (!isa->depthwise)
        flatten(s);
    cut_copy(isa, s);
    cut_bands(isa, s, threads);
    cut_parts(s, isa->mr, threads);
    s->kc = least(s->k, PANEL_TAPS);
    s->copy_at = at;
    at += s->copy ? (size_t)round_up(s->c * s->plane + SLACK, 16) : 0;
    s->panel_at = at;
    at += (size_t)round_up(s->kc * isa->nr + SLACK, 16);
    s->tile_at = at;
    at += (size_t)(s->part * isa->mr * isa->nr);
    return (size_t)round_up((int64_t)at, 16);
}

static size_t shared_floats(const struct sweep *s)
{
    return (size_t)(round_up(s->k + s->kc, 16) + round_up(TABLES * s->o * s->groups, 16));
}

/* The sweeps of a step in turn: phase I; 0 when there are no more.  */
static int nth_sweep(const struct conv *v, enum dir dir, int64_t i, struct sweep *s)
{
    if (dir == DIR_FORWARD) {
        *s = forward_sweep(v);
        return i == 0;
    }
    if (i >= v->w.stride[0] * v->w.stride[1])
        return 0;
    const int64_t at[2] = {i / v->w.stride[1], i % v->w.stride[1]};
    *s = backward_sweep(v, at);
    return 1;
}

/* A stride beyond the input's size leaves some remainders without inputs.  */
static int has_outputs(const struct sweep *s)
{
    return s->out[0] > 0 && s->out[1] > 0;
}

static int64_t packed_floats(const struct conv_isa *isa, const struct sweep *s)
{
    return s->groups * round_up(s->o, isa->mr) * s->k;
}

/* ---- weight gradients: chunks of images ---- */

enum { MIN_CHUNKS = 4, MAX_CHUNKS = 16, PART_BYTES = 32 << 20, WGRAD_BYTES = 512 << 10 };

static void cut_chunks(struct gemm_wgrad *g)
{
    int64_t most = PART_BYTES / (int64_t)(g->part * sizeof(float));

    most = most < MIN_CHUNKS ? MIN_CHUNKS : most > MAX_CHUNKS ? MAX_CHUNKS : most;
    g->per_chunk = up(g->n, most);
    g->chunks = up(g->n, g->per_chunk);
}

/* Floats that the transposed x and dy of ROWS rows take.  */
static int64_t wgrad_rows(const struct gemm_wgrad *g, int64_t rows)
{
    return (rows - 1) * g->stride[0] + (g->kernel[0] - 1) * g->dil[0] + 1;
}

static int64_t wgrad_floats(const struct gemm_wgrad *g, int64_t rows)
{
    return wgrad_rows(g, rows) * g->row + rows * g->dy_row;
}

/* The sums of a chunk are cut here too: constants, not threads.  */
static void cut_images(struct gemm_wgrad *g)
{
    const int64_t room = WGRAD_BYTES / (int64_t)sizeof(float);

    g->band = g->out[0];
    while (g->band > 1 && wgrad_floats(g, g->band) > room)
        g->band = (g->band + 1) / 2;
    g->images = 1;
    if (g->band == g->out[0])
        g->images = least(g->per_chunk, 1 + room / (2 * wgrad_floats(g, g->band)));
    g->rows = wgrad_rows(g, g->band);
}

static struct gemm_wgrad gemm_wgrad_of(const struct conv_isa *isa, const struct conv *v,
                                       size_t *floats)
{
    struct gemm_wgrad g = {.n = v->n, .groups = v->groups, .c = v->c, .o = v->o};

    for (int d = 0; d < 2; d++) {
        g.in[d] = v->w.in[d];
        g.out[d] = v->w.out[d];
        g.kernel[d] = v->w.kernel[d];
        g.stride[d] = v->w.stride[d];
        g.dil[d] = v->w.dilation[d];
        g.pad[d] = v->w.pad[d];
    }
    /* Taps of one row of the filter are neighbours unless dilated.  */
    g.runs = g.dil[1] == 1 ? g.kernel[0] : g.kernel[0] * g.kernel[1];
    g.run = g.dil[1] == 1 ? g.kernel[1] * g.c : g.c;
    g.run_vecs = up(g.run, isa->vl);
    g.vecs = g.runs * g.run_vecs;
    g.op = round_up(g.o, isa->mr);
    g.row = ((g.out[1] - 1) * g.stride[1] + (g.kernel[1] - 1) * g.dil[1] + 1) * g.c;
    g.dy_row = g.out[1] * g.op;
    if (isa->depthwise) { /* columns by remainder; whole vectors of dy */
        g.row = round_up(g.row, g.stride[1]);
        g.dy_row = round_up(g.out[1], 16);
    }
    g.part = (size_t)(g.groups * (g.op * g.vecs * isa->vl + round_up(g.op, 16)));
    cut_chunks(&g);
    cut_images(&g);
    g.x_at = 0;
    g.dy_at = (size_t)round_up(g.images * g.rows * g.row + SLACK, 16);
    *floats = g.dy_at + (size_t)round_up(g.images * g.band * g.dy_row + SLACK, 16);
    return g;
}

/* ---- what kernels state ---- */

/* Of x with its padding, or y: places in it are kept as 32 bits.  */
static int64_t image_floats(const struct conv *v)
{
    const struct window *w = &v->w;
    const int64_t x = v->c * (w->in[0] + w->pad[0] + w->pad[2] + w->stride[0]) *
                      (w->in[1] + w->pad[1] + w->pad[3] + w->stride[1]);
    const int64_t y = v->o * (w->out[0] + w->kernel[0] * w->dilation[0]) *
                      (w->out[1] + w->kernel[1] * w->dilation[1]);

    return x > y ? x : y;
}

int conv2d_gemm_accepts(const struct step_nodes *s)
{
    const struct conv v = conv_of(s);

    if (v.w.stride[0] * v.w.stride[1] > MAX_PHASES || image_floats(&v) > INT32_MAX / 4)
        return 0;
    return s->node[0]->dir == DIR_BACKWARD || follow_accepts(s);
}

int conv2d_gemm_accepts_depthwise(const struct step_nodes *s)
{
    const struct conv v = conv_of(s);

    return v.c == 1 && v.o == 1 && v.w.kernel[0] * v.w.kernel[1] <= DEPTHWISE_TAPS &&
           conv2d_gemm_accepts(s);
}

static size_t sweep_scratch(const struct conv_isa *isa, const struct step_nodes *s, int threads)
{
    const struct conv v = conv_of(s);
    size_t most = 0, shared = 0;
    struct sweep w;

    for (int64_t i = 0; nth_sweep(&v, s->node[0]->dir, i, &w); i++)
        if (has_outputs(&w)) {
            const size_t one = cut(isa, &w, threads);

            most = one > most ? one : most;
            shared += shared_floats(&w);
        }
    return shared + most * (size_t)threads;
}

size_t conv2d_gemm_pack_bytes(const struct conv_isa *isa, const struct step_nodes *s, int i)
{
    const struct conv v = conv_of(s);
    int64_t floats = 0;
    struct sweep w;

    if (i != WEIGHT)
        return 0;
    for (int64_t p = 0; nth_sweep(&v, s->node[0]->dir, p, &w); p++)
        floats += packed_floats(isa, &w);
    return (size_t)(floats + 16) * sizeof(float);
}

/* A weight that a node computes is packed anew in each run, in front of the
 * rest of the scratch.  */
static int is_computed(const struct step_nodes *s)
{
    const enum value_kind k = s->node[0]->in[WEIGHT]->kind;

    return k == VALUE_NODE || k == VALUE_INPUT;
}

static size_t own_pack(const struct conv_isa *isa, const struct step_nodes *s)
{
    if (!is_computed(s))
        return 0;
    return (size_t)round_up((int64_t)(conv2d_gemm_pack_bytes(isa, s, WEIGHT) / sizeof(float)), 16);
}

size_t conv2d_gemm_scratch(const struct conv_isa *isa, const struct step_nodes *s, int threads)
{
    size_t floats = sweep_scratch(isa, s, threads) + own_pack(isa, s), one;

    if (s->node[0]->dir == DIR_BACKWARD) {
        const struct conv v = conv_of(s);
        const struct gemm_wgrad g = gemm_wgrad_of(isa, &v, &one);
        const size_t all = g.part * (size_t)g.chunks + one * (size_t)threads;

        floats = all > floats ? all : floats;
    }
    return floats * sizeof(float);
}

/* [group][o / MR][k][MR], zeros behind the last output.  */
static void pack_sweep(const struct conv_isa *isa, const struct sweep *s, const float *w, float *to)
{
    for (int64_t g = 0; g < s->groups; g++)
        for (int64_t o = 0; o < s->o; o += isa->mr)
            for (int64_t c = 0; c < s->c; c++)
                for (int64_t r = 0; r < s->t[0].n; r++)
                    for (int64_t q = 0; q < s->t[1].n; q++) {
                        const float *from = w + g * s->w_g + o * s->w_o + c * s->w_c +
                                            (s->t[0].kernel + r * s->t[0].k_skip) * s->w_row +
                                            s->t[1].kernel + q * s->t[1].k_skip;

                        for (int64_t i = 0; i < isa->mr; i++)
                            *to++ = o + i < s->o ? from[i * s->w_o] : 0;
                    }
}

void conv2d_gemm_pack(const struct conv_isa *isa, const struct step_nodes *s,
                      const struct tensor *t, float *packed)
{
    const struct conv v = conv_of(s);
    struct sweep w;

    for (int64_t p = 0; nth_sweep(&v, s->node[0]->dir, p, &w); p++) {
        pack_sweep(isa, &w, t->data, packed);
        packed += packed_floats(isa, &w);
    }
}

/* ---- running ---- */

/* Where tap k lies relative to a pixel, in x or its copy; then the same for
 * a packed panel.  */
static void fill_offsets(const struct conv_isa *isa, const struct sweep *s, int32_t *off)
{
    for (int64_t c = 0; c < s->c; c++)
        for (int64_t r = 0; r < s->t[0].n; r++)
            for (int64_t q = 0; q < s->t[1].n; q++) {
                const int64_t h = s->t[0].first + r * s->t[0].skip;
                const int64_t w = s->t[1].first + q * s->t[1].skip;
                const int64_t u = s->copy ? w - s->t[1].low : w;

                *off++ = (int32_t)(c * s->plane + (s->copy ? h - s->t[0].low : h) * s->row +
                                   u % s->step[1] * s->phase + u / s->step[1]);
            }
    for (int64_t k = 0; k < s->kc; k++)
        *off++ = (int32_t)(k * isa->nr);
}

/* The sweeps of a step, with what each needs.  */
struct sweeps {
    const struct conv_isa *isa;
    int n;
    struct sweep sweep[MAX_PHASES];
    struct sweep_run run[MAX_PHASES];
    size_t shared, scratch_floats;
};

static void prepare(struct sweeps *t, const struct kernel_args *a, const float *packed,
                    const float *bias)
{
    struct sweep *s = &t->sweep[t->n];
    struct sweep_run *r = &t->run[t->n++];
    const int back = a->step->node[0]->dir == DIR_BACKWARD, threads = pool_threads(a->pool);
    const size_t floats = cut(t->isa, s, threads);
    float *table;

    *r = (struct sweep_run){.s = s, .packed = packed};
    r->x = back ? a->op.dout[0].data : a->op.in[X].data;
    r->y = back ? a->op.din[X].data : a->op.out[0].data;
    r->shared = (float *)a->scratch + t->shared;
    fill_offsets(t->isa, s, (int32_t *)r->shared);
    table = r->shared + round_up(s->k + s->kc, 16);
    if (!back)
        r->f = follow_of(a, s->o * s->groups, bias, table);
    r->tasks = s->n * s->groups * s->bands * s->parts;
    r->grain = t->isa->depthwise ? least(1 + GRAIN / s->band, 1 + r->tasks / (4 * threads)) : 1;
    t->shared += shared_floats(s);
    t->scratch_floats = floats > t->scratch_floats ? floats : t->scratch_floats;
}

static void all_sweeps(void *sweeps, int64_t task, int thread)
{
    struct sweeps *t = sweeps;

    for (int i = 0; i < t->n; i++)
        t->isa->sweep(&t->run[i], task, thread);
}

static int64_t calls(const struct sweep_run *r)
{
    return up(r->tasks, r->grain);
}

/* Sweeps cut alike run side by side: they write between each other's
 * results, which are then still in the cache.  */
static void run_sweeps(struct sweeps *t, const struct kernel_args *a)
{
    int alike = 1;

    for (int i = 0; i < t->n; i++) {
        t->run[i].scratch = (float *)a->scratch + t->shared;
        t->run[i].scratch_floats = t->scratch_floats;
        t->run[i].grain = t->run[0].grain;
        alike &= t->run[i].tasks == t->run[0].tasks;
    }
    if (alike && t->n)
        pool_run(a->pool, calls(&t->run[0]), all_sweeps, t);
    for (int i = 0; i < t->n && !alike; i++)
        pool_run(a->pool, calls(&t->run[i]), t->isa->sweep, &t->run[i]);
}

/* dw[o][c][r][s] from the sums of the chunks, in order.  */
struct reduce {
    const struct conv_isa *isa;
    const struct gemm_wgrad *g;
    const float *part;
    float *dw, *db;
};

static void reduce_row(void *ctx, int64_t task, int thread)
{
    const struct reduce *r = ctx;
    const struct gemm_wgrad *g = r->g;
    const int64_t group = task / g->o, o = task % g->o, ld = g->vecs * r->isa->vl;
    const float *part = r->part + group * (int64_t)(g->part / (size_t)g->groups);
    float *dw = r->dw + task * g->c * g->kernel[0] * g->kernel[1];

    (void)thread;
    for (int64_t h = 0; r->dw && h < g->kernel[0]; h++)
        for (int64_t w = 0; w < g->kernel[1]; w++)
            for (int64_t c = 0; c < g->c; c++) {
                const int64_t run = g->dil[1] == 1 ? h : h * g->kernel[1] + w;
                const int64_t at = run * g->run_vecs * r->isa->vl + (g->dil[1] == 1 ? w * g->c : 0);
                double sum = 0;

                for (int64_t i = 0; i < g->chunks; i++)
                    sum += part[i * (int64_t)g->part + o * ld + at + c];
                dw[(c * g->kernel[0] + h) * g->kernel[1] + w] = (float)sum;
            }
    if (r->db) {
        double sum = 0;

        for (int64_t i = 0; i < g->chunks; i++)
            sum += part[i * (int64_t)g->part + g->op * ld + o];
        r->db[task] = (float)sum;
    }
}

static void run_wgrad(const struct conv_isa *isa, const struct kernel_args *a, const struct conv *v)
{
    struct gemm_wgrad_run r = {.x = a->op.in[X].data, .dy = a->op.dout[0].data, .part = a->scratch};
    const struct gemm_wgrad g = gemm_wgrad_of(isa, v, &r.scratch_floats);
    struct reduce d = {isa, &g, a->scratch, a->op.din[WEIGHT].data, a->op.din[BIAS].data};

    r.g = &g;
    r.scratch = r.part + g.part * (size_t)g.chunks;
    r.want_db = d.db != NULL;
    pool_run(a->pool, g.chunks * g.groups, isa->wgrad, &r);
    pool_run(a->pool, g.groups * g.o, reduce_row, &d);
}

static const float *packed_weight(struct sweeps *t, const struct kernel_args *a)
{
    if (a->packed && a->packed[WEIGHT])
        return a->packed[WEIGHT];
    t->shared = own_pack(t->isa, a->step);
    conv2d_gemm_pack(t->isa, a->step, &a->op.in[WEIGHT], a->scratch);
    return a->scratch;
}

static void run_backward(const struct conv_isa *isa, const struct kernel_args *a,
                         const struct conv *v)
{
    struct sweeps t = {.isa = isa};
    const float *packed = packed_weight(&t, a);

    for (int64_t i = 0; nth_sweep(v, DIR_BACKWARD, i, &t.sweep[t.n]); i++) {
        const int64_t floats = packed_floats(isa, &t.sweep[t.n]);

        if (has_outputs(&t.sweep[t.n]))
            prepare(&t, a, packed, NULL);
        packed += floats;
        if (t.n == MAX_PHASES)
            break;
    }
    run_sweeps(&t, a);
}

void conv2d_gemm_run(const struct conv_isa *isa, const struct kernel_args *a)
{
    const struct conv v = conv_of(a->step);
    struct sweeps t = {.isa = isa};

    if (a->step->node[0]->dir == DIR_BACKWARD) {
        if (a->op.din[X].data)
            run_backward(isa, a, &v);
        if (a->op.din[WEIGHT].data || a->op.din[BIAS].data)
            run_wgrad(isa, a, &v);
        return;
    }
    nth_sweep(&v, DIR_FORWARD, 0, &t.sweep[0]);
    prepare(&t, a, packed_weight(&t, a), a->op.in[BIAS].data);
    run_sweeps(&t, a);
}
