/* conv2d_direct_body.h -- see conv2d_direct.h; compiled once per instruction
 * set.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <string.h>

#include "cpu/conv2d_direct.h"
#include "cpu/kernels.h"
#include "cpu/outer.h"
#include "cpu/wgrad.h"

/* Rows of the product of gradients at once.  */
#if defined(__AVX512F__)
enum { WGRAD_ROWS = 8 };
#else
enum { WGRAD_ROWS = 4 };
#endif

/* ---- copying the rows of a band ---- */

INLINE void copy_pixel(float *to, const float *from)
{
    EACH (v, PV)
        vf_store(to + v * VL, vf_load(from + v * VL));
}

/* The columns of remainder F of one row of blocked x.  */
static void copy_columns(const struct direct *d, const float *x, int64_t f, float *to)
{
    int64_t w = f - d->pad[1];

    for (int64_t j = 0; j < d->each[1]; j++, w += d->stride[1], to += LANES)
        if (w < 0 || w >= d->in[1])
            memset(to, 0, LANES * sizeof *to);
        else
            copy_pixel(to, x + w * LANES);
}

static void copy_columns_plain(const struct direct *d, const float *x, int64_t f, float *to)
{
    int64_t w = f - d->pad[1];

    for (int64_t j = 0; j < d->each[1]; j++, w += d->stride[1])
        to[j] = w < 0 || w >= d->in[1] ? 0 : x[w];
}

static void copy_row(const struct direct *d, const float *x, float *to)
{
    for (int64_t f = 0; f < d->remainders[1]; f++, to += d->each[1] * d->pixel)
        if (d->planar)
            copy_columns_plain(d, x, f, to);
        else
            copy_columns(d, x, f, to);
}

/* The rows that output rows from FIRST on read, of N groups of channels (plain
 * x: channels).  */
static void copy_band(const struct direct *d, const float *x, int64_t first, int64_t n, float *to)
{
    for (int64_t g = 0; g < n; g++, x += d->in[0] * d->in[1] * d->pixel)
        for (int64_t f = 0; f < d->remainders[0]; f++)
            for (int64_t i = 0; i < d->each[0]; i++, to += d->row) {
                const int64_t h = (first + i) * d->stride[0] + f - d->pad[0];

                if (h < 0 || h >= d->in[0])
                    memset(to, 0, (size_t)d->row * sizeof *to);
                else
                    copy_row(d, x + h * d->in[1] * d->pixel, to);
            }
}

/* ---- tiles ---- */

/* One tile: where it reads and writes.  */
struct tile {
    const float *x, *w; /* first pixel in the first block; first panel */
    float *y;
    const float *add, *scale, *shift;
    int64_t y_panel, y_pixel; /* floats from one panel, pixel of y to the next */
};

INLINE vf finish(const struct direct_run *r, const struct tile *t, int64_t at, int64_t lane, vf v)
{
    v = vf_fma(v, vf_load(t->scale + lane), vf_load(t->shift + lane));
    if (t->add)
        v = v + vf_load(t->add + at);
    if (r->f.act == ACT_CLIP)
        v = vf_min(VF1(r->f.hi), vf_max(VF1(r->f.lo), v));
    return v;
}

INLINE void tile(const int m, const int panels, const int pixel, const struct direct_run *r,
                 const struct tile *t)
{
    const struct direct *d = r->d;
    const int nv = panels * PV;
    const int64_t panel = d->k * LANES;
    const float *w = t->w;
    vf a[PANELS * PV][MR];
    int64_t b = 0;

    EACH (v, nv)
        EACH (i, m)
            a[v][i] = VF0;
    for (; b < d->whole; b++, w += (pixel == 1 ? 1 : LANES) * LANES)
        outer(m, nv, pixel, t->x + r->off[b], w, panel, pixel == 1 ? 1 : LANES, a);
    for (; b < d->blocks; b++, w += d->kn_last * LANES)
        outer(m, nv, pixel, t->x + r->off[b], w, panel, d->kn_last, a);
    EACH (v, nv)
        EACH (i, m) {
            const int64_t at = v / PV * t->y_panel + i * t->y_pixel + v % PV * VL;

            vf_store(t->y + at, finish(r, t, at, v * VL, a[v][i]));
        }
}

/* Activations other than clipping, on a tile just stored.  */
static void activate(const struct direct_run *r, const struct tile *t, int64_t m, int64_t panels)
{
    for (int64_t p = 0; p < panels; p++)
        for (int64_t i = 0; i < m * LANES; i += VL) {
            float *y = t->y + p * t->y_panel + i;

            vf_store(y, vf_act((enum act)r->f.act, vf_load(y), VF1(r->f.lo), VF1(r->f.hi)));
        }
}

typedef void tile_fn(const struct direct_run *r, const struct tile *t);

/* clang-format off */
#define TILE(m) \
    static void tile_##m(const struct direct_run *r, const struct tile *t) \
    { \
        tile(m, PANELS, LANES, r, t); \
    } \
    static void last_##m(const struct direct_run *r, const struct tile *t) \
    { \
        tile(m, 1, LANES, r, t); \
    } \
    static void plain_##m(const struct direct_run *r, const struct tile *t) \
    { \
        tile(m, PANELS, 1, r, t); \
    } \
    static void plain_last_##m(const struct direct_run *r, const struct tile *t) \
    { \
        tile(m, 1, 1, r, t); \
    }
#define ROW(m) {{last_##m, tile_##m}, {plain_last_##m, plain_##m}}

TILE(1) TILE(2) TILE(3)
#if defined(__AVX2__)
TILE(4) TILE(5) TILE(6)
#endif
#if defined(__AVX512F__)
TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12) TILE(13) TILE(14)
#endif

/* By pixels - 1, plain, whole.  */
static tile_fn *const tiles[MR][2][2] = {
    ROW(1), ROW(2), ROW(3),
#if defined(__AVX2__)
    ROW(4), ROW(5), ROW(6),
#endif
#if defined(__AVX512F__)
    ROW(7), ROW(8), ROW(9), ROW(10), ROW(11), ROW(12), ROW(13), ROW(14),
#endif
};
/* clang-format on */

/* M pixels, panels [PANEL, END); the first is pixel P of the map written.  */
static void panels(const struct direct_run *r, const float *x, int64_t image, int64_t p, int64_t m,
                   int64_t panel, int64_t end)
{
    const struct direct *d = r->d;
    const int64_t area = d->map[0] * d->map[1] * LANES;

    for (; panel < end; panel += PANELS) {
        const int whole = panel + PANELS <= end;
        const int64_t at = (image * d->panels + panel) * area + p * LANES;
        const struct tile t = {
            .x = x,
            .w = r->w + panel * d->k * LANES,
            .y = r->y + at,
            .add = r->f.add ? r->f.add + at : NULL,
            .scale = r->f.scale + panel * LANES,
            .shift = r->f.shift + panel * LANES,
            .y_panel = area,
            .y_pixel = d->map_step[1] * LANES,
        };

        tiles[m - 1][d->planar][whole](r, &t);
        if (r->f.act > ACT_CLIP)
            activate(r, &t, m, whole ? PANELS : 1);
    }
}

/* A row of N pixels from P on, in tiles of much the same width.  */
static void row(const struct direct_run *r, const float *x, int64_t image, int64_t p, int64_t n,
                int64_t panel, int64_t end)
{
    for (int64_t left = (n + MR - 1) / MR; left; left--) {
        const int64_t m = (n + left - 1) / left;

        panels(r, x, image, p, m, panel, end);
        x += m * r->d->pixel;
        p += m * r->d->map_step[1];
        n -= m;
    }
}

static void task(void *run, int64_t task, int thread)
{
    const struct direct_run *r = run;
    const struct direct *d = r->d;
    const struct direct_task t = direct_task_of(d, task);
    const int64_t planes = d->planar ? d->c : (d->c + LANES - 1) / LANES;
    const float *x = r->x + t.image * planes * d->in[0] * d->in[1] * d->pixel;

    if (d->copy && d->blocks) {
        float *copy = r->scratch + (size_t)thread * d->copy_floats;

        copy_band(d, x, t.first, planes, copy);
        x = copy;
    }
    for (int64_t panel = t.panel; panel < t.end; panel += d->group) {
        const int64_t end = panel + d->group < t.end ? panel + d->group : t.end;

        if (!d->copy)
            row(r, x + t.first * LANES, t.image, t.first, t.rows, panel, end);
        for (int64_t i = 0; d->copy && i < t.rows; i++)
            row(r, x + i * d->row, t.image,
                (d->map_at[0] + (t.first + i) * d->map_step[0]) * d->map[1] + d->map_at[1],
                d->out[1], panel, end);
    }
}

/* ---- gradients of the weights ---- */

/* x of the first pixel of a row and one number of each row of the product;
 * dy of the same pixel.  */
struct stretch {
    const float *x, *dy;
    const float *row[WGRAD_ROWS]; /* plain x: where each row begins */
    int64_t dy_panel, n;          /* floats; pixels */
};

INLINE void products(const int nv, const int plain, const struct stretch *s, vf (*a)[WGRAD_ROWS])
{
    for (int64_t j = 0; j < s->n; j++) {
        const float *dy = s->dy + j * LANES;
        vf b[PANELS * PV];

        EACH (v, nv)
            b[v] = vf_load(dy + v / PV * s->dy_panel + v % PV * VL);
        EACH (i, WGRAD_ROWS) {
            const vf p = VF1(plain ? s->row[i][j] : s->x[j * LANES + i]);

            EACH (v, nv)
                a[v][i] = vf_fma(p, b[v], a[v][i]);
        }
    }
}

/* What one pass over the images at hand adds to WGRAD_ROWS rows.  */
INLINE void pass(const int nv, const int plain, const struct wgrad_run *r,
                 const struct wgrad_pass *q, int64_t row, int64_t panel)
{
    const struct wgrad *g = r->g;
    const int64_t area = g->d.out[0] * g->d.out[1] * LANES, size = g->rows * LANES;
    float *sum = q->sum + panel * size + row * LANES;
    vf a[PANELS * PV][WGRAD_ROWS];

    EACH (v, nv)
        EACH (i, WGRAD_ROWS)
            a[v][i] = VF0;
    for (int64_t m = 0; m < q->images; m++)
        for (int64_t i = 0; i < q->rows; i++) {
            const float *x = q->x + m * q->x_image + i * g->d.row;
            struct stretch s = {.dy_panel = area, .n = q->pixels};

            s.dy = r->dy + ((q->image + m) * g->d.panels + panel) * area +
                   (q->first + i * g->d.out[1]) * LANES;
            s.x = x + (plain ? 0 : wgrad_row(g, row - q->row));
            for (int k = 0; plain && k < WGRAD_ROWS; k++)
                s.row[k] = x + wgrad_row(g, row + k);
            products(nv, plain, &s, a);
        }
    EACH (v, nv)
        EACH (i, WGRAD_ROWS) {
            float *to = sum + v / PV * size + i * LANES + v % PV * VL;

            if (!q->start)
                a[v][i] = a[v][i] + vf_load(to);
            vf_store(to, a[v][i]);
        }
}

static void pass_whole(const struct wgrad_run *r, const struct wgrad_pass *q, int64_t row,
                       int64_t panel)
{
    pass(PANELS * PV, 0, r, q, row, panel);
}

static void pass_last(const struct wgrad_run *r, const struct wgrad_pass *q, int64_t row,
                      int64_t panel)
{
    pass(PV, 0, r, q, row, panel);
}

static void pass_whole_plain(const struct wgrad_run *r, const struct wgrad_pass *q, int64_t row,
                             int64_t panel)
{
    pass(PANELS * PV, 1, r, q, row, panel);
}

static void pass_last_plain(const struct wgrad_run *r, const struct wgrad_pass *q, int64_t row,
                            int64_t panel)
{
    pass(PV, 1, r, q, row, panel);
}

static void wgrad_task(void *run, int64_t task, int thread)
{
    static void (*const passes[2][2])(const struct wgrad_run *, const struct wgrad_pass *, int64_t,
                                      int64_t) = {{pass_last, pass_whole},
                                                  {pass_last_plain, pass_whole_plain}};
    const struct wgrad_run *r = run;
    const struct wgrad *g = r->g;
    float *copy = r->scratch + (size_t)thread * g->copy_floats;

    for (struct wgrad_pass q = wgrad_first(r, task); q.images; wgrad_next(r, &q)) {
        for (int64_t m = 0; g->d.copy && m < q.images; m++)
            copy_band(&g->d, r->x + (q.image + m) * g->x_image + q.group * g->x_group,
                      q.first / g->d.out[1], g->d.planar ? g->d.c : q.groups, copy + m * q.x_image);
        if (g->d.copy)
            q.x = copy;
        for (int64_t panel = 0; panel < g->d.panels; panel += PANELS)
            for (int64_t row = q.row; row < q.row_end; row += WGRAD_ROWS)
                passes[g->d.planar][panel + PANELS <= g->d.panels](r, &q, row, panel);
    }
}

/* ---- records ---- */

static const struct direct_isa isa = {MR, PANELS, task, wgrad_task, WGRAD_ROWS};

#define RECORD(name, planar)                                                                     \
    static size_t scratch_##name(const struct step_nodes *s, int threads)                        \
    {                                                                                            \
        return conv2d_direct_scratch(&isa, planar, s, threads);                                  \
    }                                                                                            \
    static size_t pack_bytes_##name(const struct step_nodes *s, int i)                           \
    {                                                                                            \
        return conv2d_direct_pack_bytes(planar, s, i);                                           \
    }                                                                                            \
    static void pack_##name(const struct step_nodes *s, int i, const struct tensor *t, void *to) \
    {                                                                                            \
        (void)i;                                                                                 \
        conv2d_direct_pack(planar, s, t, to);                                                    \
    }                                                                                            \
    static void run_##name(const struct kernel_args *a)                                          \
    {                                                                                            \
        conv2d_direct_run(&isa, planar, a);                                                      \
    }

RECORD(blocked, 0)
RECORD(plain, 1)

/* clang-format off */
#define COMMON(suffix) .name = "conv2d_direct_" ISA_NAME, .op = "conv2d", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .pulls = 1, .writes = LAYOUT_C16, .scratch = scratch_##suffix, .pack_bytes = pack_bytes_##suffix, \
    .pack = pack_##suffix, .run = run_##suffix
/* clang-format on */

const struct kernel ISA(conv2d_direct_kernels)[] = {
    {COMMON(blocked), .dir = DIR_FORWARD, .epilogue = follow_names, .reads = LAYOUT_C16,
     .accepts = conv2d_direct_accepts},
    {COMMON(plain), .dir = DIR_FORWARD, .epilogue = follow_names,
     .accepts = conv2d_direct_accepts_plain},
    {COMMON(blocked), .dir = DIR_BACKWARD, .reads = LAYOUT_C16, .accepts = conv2d_direct_accepts},
    {COMMON(plain), .dir = DIR_BACKWARD, .reads = LAYOUT_C16, .plain = 1,
     .accepts = conv2d_direct_accepts_plain},
    {0},
};
