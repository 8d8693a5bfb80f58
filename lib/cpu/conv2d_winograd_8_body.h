/* conv2d_winograd_8_body.h -- see conv2d_winograd_8.h; compiled once per
 * instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/vec8.h"

#include "cpu/conv2d_winograd_8.h"
#include "cpu/kernels.h"
#include "cpu/outer.h"
#include "cpu/store_8.inc"

_Static_assert(PER == 2 && PANELS == 1, "pairs of 16 bits; one panel at a time");
enum { SIDE = WINOGRAD8_SIDE, INPUTS = WINOGRAD8_INPUTS, PIXEL = LANES / PER };
typedef int32_t slot;
OUTER(outer_8, slot, vi, vi_load, slot_all, vi_mac)

/* 16 channels of x, and of V; sums, which wrap.  */
typedef uint8_t bytes __attribute__((vector_size(LANES)));
typedef int16_t shorts __attribute__((vector_size(2 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * VL)));
typedef int32_t signed_words __attribute__((vector_size(4 * VL)));

/* ---- inputs ---- */

/* ROWS x COLS pixels of 16 channels of a map X from (H, W) on.  */
static void copy_rows(const struct winograd8_run *r, const uint8_t *x, int64_t h, int64_t w,
                      int64_t cols, uint8_t *to)
{
    const int64_t *in = r->g->in, from = w < 0 ? 0 : w, end = w + cols < in[1] ? w + cols : in[1];

    for (int64_t i = h; i < h + INPUTS; i++, to += cols * LANES) {
        if (i < 0 || i >= in[0] || from >= end) {
            memset(to, r->outside, (size_t)(cols * LANES));
            continue;
        }
        memset(to, r->outside, (size_t)((from - w) * LANES));
        memcpy(to + (from - w) * LANES, x + (i * in[1] + from) * LANES,
               (size_t)((end - from) * LANES));
        memset(to + (end - w) * LANES, r->outside, (size_t)((w + cols - end) * LANES));
    }
}

INLINE void input(shorts a, shorts b, shorts c, shorts d, shorts *t)
{
    t[0] = a - c;
    t[1] = b + c;
    t[2] = c - b;
    t[3] = d - b;
}

/* A column of INPUTS pixels, rows ROW apart.  */
INLINE void column(const uint8_t *x, int64_t row, shorts *t)
{
    shorts d[INPUTS];

    EACH (i, INPUTS) {
        bytes b;

        memcpy(&b, x + i * row, sizeof b);
        d[i] = __builtin_convertvector(b, shorts);
    }
    input(d[0], d[1], d[2], d[3], t);
}

/* RUN tiles side by side, to points STEP slots apart.  Half of the columns of a
 * tile are those of the one before.  */
static void transform_run(const uint8_t *x, int64_t row, int64_t run, slot *v, int64_t step)
{
    shorts left[2][INPUTS];

    column(x, row, left[0]);
    column(x + LANES, row, left[1]);
    for (int64_t tile = 0; tile < run; tile++, v += PIXEL) {
        shorts right[2][INPUTS];

        x += SIDE * LANES;
        column(x, row, right[0]);
        column(x + LANES, row, right[1]);
        EACH (i, INPUTS) {
            shorts line[INPUTS];

            input(left[0][i], left[1][i], right[0][i], right[1][i], line);
            EACH (j, INPUTS)
                memcpy(v + (i * INPUTS + j) * step, &line[j], sizeof line[j]);
            left[0][i] = right[0][i];
            left[1][i] = right[1][i];
        }
    }
}

/* V of tiles [FIRST, END).  */
static void transform_inputs(const struct winograd8_run *r, int64_t first, int64_t end, slot *v,
                             uint8_t *band)
{
    const struct winograd *g = r->g;
    const int64_t area = g->in[0] * g->in[1] * LANES;

    while (first < end) {
        const int64_t run = winograd_run_of(g, first, end), cols = (run + 1) * SIDE;
        const struct winograd_tile t = winograd_tile_of(g, first);

        for (int64_t p = 0; p < g->planes; p++) {
            copy_rows(r, r->x + (t.image * g->planes + p) * area, t.h - g->pad[0], t.w - g->pad[1],
                      cols, band);
            transform_run(band, cols * LANES, run, v + p * g->strip * PIXEL, g->v_point);
        }
        v += run * PIXEL;
        first += run;
    }
}

/* ---- products ---- */

typedef vi vacc;
#define product    outer_8
#define NOTHING    VI1(0)
#define keep(p, v) vi_store(p, v)
#include "cpu/winograd_products.inc"

/* ---- outputs ---- */

INLINE void output(const words *m, words *y)
{
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] + m[3];
}

/* The sums of a tile, rows ROW numbers apart, from its M, points STEP apart.  */
INLINE void gather(const int32_t *m, int64_t step, const int32_t *base, int32_t *to, int64_t row)
{
    EACH (v, PV) {
        const words first = (words)vi_load(base + v * VL);
        words t[SIDE][INPUTS];

        EACH (j, INPUTS) {
            words d[INPUTS], column[SIDE];

            EACH (i, INPUTS)
                d[i] = (words)vi_load(m + (i * INPUTS + j) * step + v * VL);
            output(d, column);
            EACH (i, SIDE)
                t[i][j] = column[i];
        }
        EACH (i, SIDE) {
            words y[SIDE];

            output(t[i], y);
            EACH (j, SIDE)
                vi_store(to + i * row + j * LANES + v * VL,
                         (vi)((words)((signed_words)y[j] >> 2) + first));
        }
    }
}

/* M pixels of SUMS.  */
INLINE void store_some(const int m, const struct store8 *s, int64_t lane, const int32_t *sums,
                       uint8_t *y)
{
    vi a[PV][MR];

    EACH (v, PV)
        EACH (i, m)
            a[v][i] = vi_load(sums + i * LANES + v * VL);
    store_levels(m, s, lane, a, y);
}

/* N pixels of SUMS of a panel that begins with channel LANE, for the numbers of
 * y from AT on.  */
static void store_row(const struct store8 *s, int64_t lane, const int32_t *sums, int64_t n,
                      int64_t at)
{
    uint8_t *y = (uint8_t *)s->y + at;
    int64_t i = 0;

    if (!store8_is_simple(s)) {
        store_rest(s, lane, sums, (int)n, at);
        return;
    }
    for (; i + MR <= n; i += MR)
        store_some(MR, s, lane, sums + i * LANES, y + i * LANES);
    for (; i < n; i++)
        store_some(1, s, lane, sums + i * LANES, y + i * LANES);
}

/* Tiles [FIRST, END) of a panel, M of the first; SUMS has room for a run.  */
static void store(const struct winograd8_run *r, int64_t first, int64_t end, int64_t panel,
                  const int32_t *m, int32_t *sums)
{
    const struct winograd *g = r->g;
    const int32_t *base = r->to.out.base + panel * LANES;

    while (first < end) {
        const int64_t run = winograd_run_of(g, first, end), row = run * SIDE * LANES;
        const struct winograd_tile t = winograd_tile_of(g, first);
        const int64_t at = (((t.image * g->panels + panel) * g->out[0] + t.h) * g->out[1] + t.w);
        const int64_t rest = g->out[1] - t.w, n = run * SIDE < rest ? run * SIDE : rest;

        for (int64_t i = 0; i < run; i++)
            gather(m + i * LANES, g->m_point, base, sums + i * SIDE * LANES, row);
        for (int64_t i = 0; i < SIDE && t.h + i < g->out[0]; i++)
            store_row(&r->to, panel * LANES, sums + i * row, n, (at + i * g->out[1]) * LANES);
        m += run * LANES;
        first += run;
    }
}

/* ---- tasks ---- */

static void task(void *run, int64_t task, int thread)
{
    const struct winograd8_run *r = run;
    const struct winograd *g = r->g;
    const int64_t first = task % g->strips * g->strip, part = task / g->strips * g->part;
    const int64_t n = first + g->strip < g->tiles ? g->strip : g->tiles - first;
    const int64_t end = part + g->part < g->panels ? part + g->part : g->panels;
    int32_t *v = r->scratch + (size_t)thread * g->thread_floats, *m = v + g->m_at;
    int32_t *band = v + g->band_at;
    const struct weights w = {g, r->u, r->slots};
    struct ahead nothing = {0};

    transform_inputs(r, first, first + n, v, (uint8_t *)band);
    multiply_all(&w, part, end, n, v, m, &nothing, &nothing);
    for (int64_t panel = part; panel < end; panel++)
        store(r, first, first + n, panel, m + (panel - part) * g->strip * LANES, band);
}

/* ---- records ---- */

static const struct winograd_isa isa = {.mr = MR, .panels = PANELS, .task = task};

static size_t scratch(const struct step_nodes *s, int threads)
{
    return conv2d_winograd_8_scratch(&isa, s, threads);
}

static void run(const struct kernel_args *a)
{
    conv2d_winograd_8_run(&isa, a);
}

/* clang-format off */
const struct kernel ISA(conv2d_winograd_8_kernels)[] = {
    {.name = "conv2d_winograd_8_" ISA_NAME, .op = "conv2d", .isa = ISA_BITS, .dir = DIR_FORWARD,
     .dtypes = 1 << DTYPE_U8 | 1 << DTYPE_I8 | 1 << DTYPE_I32 | 1 << DTYPE_F32, .quantised = 1,
     .epilogue = quant8_layer_follow, .saves = 1, .pulls = 1, .reads = LAYOUT_C16,
     .writes = LAYOUT_C16, .accepts = conv2d_winograd_8_accepts, .scratch = scratch,
     .pack_bytes = conv2d_winograd_8_pack_bytes, .pack = conv2d_winograd_8_pack, .run = run},
    {0},
};
/* clang-format on */
