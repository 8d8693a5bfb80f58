/* linear_packed_body.h -- linear layers whose weights are packed once;
 * compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * A row of x is a pixel: a task copies a few rows into groups of 16 numbers,
 * side by side as blocked values are, and multiplies them by panels of 16
 * outputs.  Every output is one chain over k.  */
#include <string.h>

#include "base/thread.h"
#include "cpu/follow.h"
#include "cpu/kernels.h"
#include "cpu/outer.h"
#include "graph/graph.h"

enum { X, WEIGHT, BIAS };

/* Rows that a task copies; bytes of weights that pass over them at once.  */
enum { BAND_TILES = 8, GROUP_BYTES = 320 << 10 };

struct rows {
    int64_t n, c, o;
    int64_t panels, part, parts, band, bands;
    size_t copy_floats;
    const float *x, *w;
    float *y, *scratch;
    struct follow f;
};

static int64_t up(int64_t n, int64_t d)
{
    return (n + d - 1) / d;
}

static struct rows rows_of(const struct step_nodes *s, int threads)
{
    const struct shape y = shape_bind(s->node[0]->out[0]->shape, s->batch);
    const struct shape *w = &s->node[0]->in[WEIGHT]->shape;
    struct rows r = {.o = w->dim[0], .c = w->dim[1]};
    const int64_t group = GROUP_BYTES / (r.c * LANES * (int64_t)sizeof(float)) / PANELS;

    r.n = shape_count(&y) / r.o;
    r.panels = up(r.o, LANES);
    r.band = MR * (r.n < BAND_TILES * MR ? 1 : BAND_TILES);
    r.bands = up(r.n, r.band);
    r.part = (group > 1 ? group : 1) * PANELS;
    while (r.part > PANELS && r.bands * up(r.panels, r.part) < 4 * threads)
        r.part = up(r.part / 2, PANELS) * PANELS;
    r.parts = up(r.panels, r.part);
    r.copy_floats = (size_t)(MR * up(r.c, LANES) * LANES);
    return r;
}

/* M rows as [c/16][m][16]; what lies behind the last column is not read.  */
static void copy_rows(const struct rows *r, const float *x, int64_t m, float *to)
{
    for (int64_t c = 0; c < r->c; c += LANES)
        for (int64_t i = 0; i < m; i++, to += LANES)
            memcpy(to, x + i * r->c + c,
                   (size_t)(r->c - c < LANES ? r->c - c : LANES) * sizeof *to);
}

/* N lanes, the last vector may be cut.  */
static void finish_row(const struct rows *r, int64_t panel, const float *from, int64_t row,
                       int64_t n)
{
    const int64_t at = row * r->o + panel * LANES;

    for (int64_t i = 0; i < n; i += VL) {
        const int64_t k = n - i < VL ? n - i : VL, lane = panel * LANES + i;
        vf v = vf_fma(vf_load(from + i), vf_load(r->f.scale + lane), vf_load(r->f.shift + lane));

        if (r->f.add)
            v = v + vf_load_n(r->f.add + at + i, k);
        v = vf_act((enum act)r->f.act, v, VF1(r->f.lo), VF1(r->f.hi));
        if (k == VL)
            vf_store(r->y + at + i, v);
        else
            vf_store_n(r->y + at + i, v, k);
    }
}

INLINE void tile(const int m, const int panels, const struct rows *r, const float *x, int64_t panel,
                 float *to)
{
    const int nv = panels * PV;
    const int64_t size = r->c * LANES;
    const float *w = r->w + panel * size;
    vf a[PANELS * PV][MR];
    int64_t c = 0;

    EACH (v, nv)
        EACH (i, m)
            a[v][i] = VF0;
    for (; c + LANES <= r->c; c += LANES, x += m * LANES, w += LANES * LANES)
        outer(m, nv, LANES, x, w, size, LANES, a);
    if (c < r->c)
        outer(m, nv, LANES, x, w, size, r->c - c, a);
    EACH (v, nv)
        EACH (i, m)
            vf_store(to + (i * PANELS * PV + v) * VL, a[v][i]);
}

typedef void tile_fn(const struct rows *r, const float *x, int64_t panel, float *to);

/* clang-format off */
#define TILE(m) \
    static void tile_##m(const struct rows *r, const float *x, int64_t panel, float *to) \
    { \
        tile(m, PANELS, r, x, panel, to); \
    } \
    static void last_##m(const struct rows *r, const float *x, int64_t panel, float *to) \
    { \
        tile(m, 1, r, x, panel, to); \
    }
#define ROW(m) {last_##m, tile_##m}

TILE(1) TILE(2) TILE(3)
#if defined(__AVX2__)
TILE(4) TILE(5) TILE(6)
#endif
#if defined(__AVX512F__)
TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12) TILE(13) TILE(14)
#endif

/* By rows - 1, whole.  */
static tile_fn *const tiles[MR][2] = {
    ROW(1), ROW(2), ROW(3),
#if defined(__AVX2__)
    ROW(4), ROW(5), ROW(6),
#endif
#if defined(__AVX512F__)
    ROW(7), ROW(8), ROW(9), ROW(10), ROW(11), ROW(12), ROW(13), ROW(14),
#endif
};
/* clang-format on */

/* M rows from ROW on, copied to X, by the panels [PANEL, END).  */
static void panels(const struct rows *r, const float *x, int64_t row, int64_t m, int64_t panel,
                   int64_t end)
{
    float sums[MR * PANELS * LANES];

    for (; panel < end; panel += PANELS) {
        const int whole = panel + PANELS <= end;
        const int64_t left = r->o - panel * LANES;

        tiles[m - 1][whole](r, x, panel, sums);
        for (int64_t i = 0; i < m; i++)
            finish_row(r, panel, sums + i * PANELS * LANES, row + i,
                       left < (whole ? PANELS : 1) * LANES ? left : (whole ? PANELS : 1) * LANES);
    }
}

static void task(void *rows, int64_t task, int thread)
{
    const struct rows *r = rows;
    const int64_t first = task % r->bands * r->band, panel = task / r->bands * r->part;
    const int64_t end = panel + r->part < r->panels ? panel + r->part : r->panels;
    float *copy = r->scratch + (size_t)thread * r->copy_floats;
    int64_t n = r->n - first < r->band ? r->n - first : r->band, row = first;

    for (int64_t left = up(n, MR); left; left--) {
        const int64_t m = up(n, left);

        copy_rows(r, r->x + row * r->c, m, copy);
        panels(r, copy, row, m, panel, end);
        row += m;
        n -= m;
    }
}

/* ---- the record ---- */

static int accepts(const struct step_nodes *s)
{
    return value_is_tensor(s->node[0]->in[WEIGHT]) && follow_accepts(s);
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct rows r = rows_of(s, threads);

    return ((size_t)(2 * r.panels * LANES) + r.copy_floats * (size_t)threads) * sizeof(float);
}

static size_t pack_bytes(const struct step_nodes *s, int i)
{
    const struct rows r = rows_of(s, 1);

    return i == WEIGHT ? (size_t)(r.panels * LANES * r.c) * sizeof(float) : 0;
}

/* W[o][c] as [o/16][c][16].  */
static void pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    const struct rows r = rows_of(s, 1);
    const float *w = t->data;
    float *to = packed;

    (void)i;
    for (int64_t panel = 0; panel < r.panels; panel++, to += r.c * LANES)
        for (int64_t o = 0; o < LANES; o++)
            for (int64_t c = 0; c < r.c; c++)
                to[c * LANES + o] = panel * LANES + o < r.o ? w[(panel * LANES + o) * r.c + c] : 0;
}

static void run(const struct kernel_args *a)
{
    struct rows r = rows_of(a->step, pool_threads(a->pool));
    float *table = a->scratch;

    r.x = a->op.in[X].data;
    r.y = a->op.out[0].data;
    r.w = a->packed[WEIGHT];
    r.f = follow_lanes(a, r.o, a->op.in[BIAS].data, table);
    r.scratch = table + 2 * r.panels * LANES;
    pool_run(a->pool, r.bands * r.parts, task, &r);
}

const struct kernel ISA(linear_packed_kernels)[] = {
    {.name = "linear_packed_" ISA_NAME,
     .op = "linear",
     .dir = DIR_FORWARD,
     .isa = ISA_BITS,
     .dtypes = 1 << DTYPE_F32,
     .epilogue = follow_add_names,
     .accepts = accepts,
     .scratch = scratch,
     .pack_bytes = pack_bytes,
     .pack = pack,
     .run = run},
    {0},
};
