/* conv2d_winograd_body.h -- see winograd.h; compiled once per instruction set.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <string.h>

#include "cpu/ahead.h"
#include "cpu/kernels.h"
#include "cpu/lanes.h"
#include "cpu/outer.h"
#include "cpu/winograd.h"
#include "cpu/winograd_points.inc"

enum { MOST_SIDE = 4, MOST_INPUTS = 6 };

/* ---- inputs ---- */

/* A tile at X, rows ROW floats apart, to points STEP apart.  */
INLINE void transform_4(const float *x, int64_t row, float *v, int64_t step)
{
    EACH (half, 2) {
        vf t[3][6];

        EACH (j, 6) {
            vf d[6], column[3];

            EACH (i, 6)
                d[i] = vf_load(x + i * row + j * LANES);
            input_4(half, d, column);
            EACH (i, 3)
                t[i][j] = column[i];
        }
        EACH (i, 3) {
            vf line[6];

            input_4(0, t[i], line);
            input_4(1, t[i], line + 3);
            EACH (j, 6)
                vf_store(v + ((half * 3 + i) * 6 + j) * step, line[j]);
        }
    }
}

INLINE void transform_2(const float *x, int64_t row, float *v, int64_t step)
{
    vf t[4][4];

    EACH (j, 4) {
        vf d[4], column[4];

        EACH (i, 4)
            d[i] = vf_load(x + i * row + j * LANES);
        input_2(d, column);
        EACH (i, 4)
            t[i][j] = column[i];
    }
    EACH (i, 4) {
        vf line[4];

        input_2(t[i], line);
        EACH (j, 4)
            vf_store(v + (i * 4 + j) * step, line[j]);
    }
}

/* A tile of dy.  */
INLINE void transform_dy(const float *dy, int64_t row, float *z, int64_t step)
{
    vf t[6][4];

    EACH (j, 4) {
        vf d[4], column[6];

        EACH (i, 4)
            d[i] = vf_load(dy + i * row + j * LANES);
        gradient_4(d, column);
        EACH (i, 6)
            t[i][j] = column[i];
    }
    EACH (i, 6) {
        vf line[6];

        gradient_4(t[i], line);
        EACH (j, 6)
            vf_store(z + (i * 6 + j) * step, line[j]);
    }
}

static void zero(float *to, int64_t n)
{
    memset(to, 0, (size_t)(n * LANES) * sizeof *to);
}

/* A map that is read, one group of its channels.  */
struct plane {
    const struct reader *r;
    int64_t at, group; /* its first number; its channels */
    int64_t h, w;
};

/* ROWS x COLS pixels from (H, W) on, zeros outside.  */
static void copy_rows(const struct plane *p, int64_t h, int64_t w, int64_t rows, int64_t cols,
                      float *to)
{
    const int64_t from = w < 0 ? 0 : w, end = w + cols < p->w ? w + cols : p->w;

    for (int64_t i = h; i < h + rows; i++, to += cols * LANES) {
        if (i < 0 || i >= p->h || from >= end) {
            zero(to, cols);
            continue;
        }
        zero(to, from - w);
        lanes_line(p->r, p->at + (i * p->w + from) * LANES, p->group, end - from, 1,
                   to + (from - w) * LANES);
        zero(to + (end - w) * LANES, w + cols - end);
    }
}

/* V of tiles [FIRST, END), planes [P0, P1).  */
static void transform_inputs(const struct winograd *g, const struct reader *r, int64_t first,
                             int64_t end, int64_t p0, int64_t p1, float *v, float *band)
{
    const int64_t area = g->in[0] * g->in[1] * LANES;

    while (first < end) {
        const int64_t run = winograd_run_of(g, first, end), cols = run * g->side + 2;
        const struct winograd_tile t = winograd_tile_of(g, first);

        for (int64_t p = p0; p < p1; p++) {
            const struct plane from = {r, (t.image * g->planes + p) * area, p, g->in[0], g->in[1]};
            float *to = v + (p - p0) * g->strip * LANES;

            copy_rows(&from, t.h - g->pad[0], t.w - g->pad[1], g->side + 2, cols, band);
            for (int64_t i = 0; i < run * LANES; i += VL) {
                const float *x = band + i / LANES * g->side * LANES + i % LANES;

                if (g->side == 4)
                    transform_4(x, cols * LANES, to + i, g->v_point);
                else
                    transform_2(x, cols * LANES, to + i, g->v_point);
            }
        }
        v += run * LANES;
        first += run;
    }
}

/* Z of tiles [FIRST, END), all panels.  */
static void transform_gradients(const struct winograd *g, const struct reader *r, int64_t first,
                                int64_t end, float *z, float *band)
{
    const int64_t area = g->out[0] * g->out[1] * LANES;

    while (first < end) {
        const int64_t run = winograd_run_of(g, first, end), cols = run * g->side;
        const struct winograd_tile t = winograd_tile_of(g, first);

        for (int64_t p = 0; p < g->panels; p++) {
            const struct plane from = {r, (t.image * g->panels + p) * area, p, g->out[0],
                                       g->out[1]};
            float *to = z + p * g->strip * LANES;

            copy_rows(&from, t.h, t.w, g->side, cols, band);
            for (int64_t i = 0; i < run * LANES; i += VL)
                transform_dy(band + i / LANES * g->side * LANES + i % LANES, cols * LANES, to + i,
                             g->m_point);
        }
        z += run * LANES;
        first += run;
    }
}

/* ---- products ---- */

typedef float slot;
typedef vf vacc;
enum { PIXEL = LANES };
#define product    outer
#define NOTHING    VF0
#define keep(p, v) vf_store(p, v)
#include "cpu/winograd_products.inc"

/* ---- outputs ---- */

INLINE void gather_4(const float *m, int64_t step, vf (*y)[MOST_SIDE])
{
    vf t[4][6];

    EACH (j, 6) {
        vf d[6], column[4];

        EACH (i, 6)
            d[i] = vf_load(m + (i * 6 + j) * step);
        output_4(d, column);
        EACH (i, 4)
            t[i][j] = column[i];
    }
    EACH (i, 4)
        output_4(t[i], y[i]);
}

INLINE void gather_2(const float *m, int64_t step, vf (*y)[MOST_SIDE])
{
    vf t[2][4];

    EACH (j, 4) {
        vf d[4], column[2];

        EACH (i, 4)
            d[i] = vf_load(m + (i * 4 + j) * step);
        output_2(d, column);
        EACH (i, 2)
            t[i][j] = column[i];
    }
    EACH (i, 2)
        output_2(t[i], y[i]);
}

/* Where a tile is written, one vector of its channels from LANE on.  */
struct place {
    int64_t at, row, lane;
    int64_t h, w; /* outputs that are inside */
};

static struct place place_of(const struct winograd *g, int64_t tile, int64_t lane)
{
    const struct winograd_tile t = winograd_tile_of(g, tile);
    const int64_t plane = t.image * g->panels + lane / LANES;
    const int64_t h = g->out[0] - t.h, w = g->out[1] - t.w;

    return (struct place){
        .at = ((plane * g->out[0] + t.h) * g->out[1] + t.w) * LANES + lane % LANES,
        .row = g->out[1] * LANES,
        .lane = lane,
        .h = h < g->side ? h : g->side,
        .w = w < g->side ? w : g->side,
    };
}

/* Outputs that are more than simple: SIDE x SIDE vectors, some outside.  */
static void store_rest(const struct writer *w, const struct place *p, int64_t side, float *y,
                       vf (*sum)[WRITER_SUMS])
{
    const struct lanes_block b = {p->at, p->lane, p->h, p->w, p->row, LANES};

    for (int64_t i = 1; p->w < side && i < p->h; i++)
        memmove(y + i * p->w * VL, y + i * side * VL, (size_t)(p->w * VL) * sizeof *y);
    lanes_put(w, &b, y, sum);
}

INLINE void store_tile(const int side, const struct winograd_run *r, const struct place *p,
                       const float *m, vf (*sum)[WRITER_SUMS])
{
    const struct writer *w = &r->y;
    const struct lanes_end e = lanes_end(w);
    vf y[MOST_SIDE][MOST_SIDE];

    if (side == 4)
        gather_4(m, r->g->m_point, y);
    else
        gather_2(m, r->g->m_point, y);
    if (!lanes_simple(w)) {
        float rest[MOST_SIDE * MOST_SIDE * VL];

        EACH (i, side)
            EACH (j, side)
                vf_store(rest + (i * side + j) * VL, y[i][j]);
        store_rest(w, p, side, rest, sum);
        return;
    }
    EACH (i, side) {
        const int64_t at = p->at + i * p->row;

        if (i < p->h && p->w == side)
            lanes_store(side, &e, at, LANES, 0, p->lane, y[i]);
        EACH (j, side)
            if (i < p->h && p->w < side && j < p->w)
                lanes_store(1, &e, at + j * LANES, LANES, 0, p->lane, &y[i][j]);
    }
}

/* The activation of a tile just stored.  */
static void activate(const struct winograd_run *r, int64_t tile, int64_t panel)
{
    const struct place p = place_of(r->g, tile, panel * LANES);

    for (int64_t i = 0; i < p.h; i++)
        lanes_activate(&r->y, p.at + i * p.row, p.w * LANES);
}

/* Tiles [FIRST, FIRST + N) in one group of channels, M of the first; ROW of
 * sums.  */
static void store(const struct winograd_run *r, int64_t first, int64_t n, int64_t panel,
                  const float *m, int64_t row)
{
    for (int64_t v = 0; v < LANES; v += VL) {
        const int64_t lane = panel * LANES + v;
        vf sum[STEP_SIDES][WRITER_SUMS] = {{VF0, VF0}, {VF0, VF0}};

        for (int64_t i = 0; i < n; i++) {
            const struct place p = place_of(r->g, first + i, lane);

            if (r->g->side == 4)
                store_tile(4, r, &p, m + i * LANES + v, sum);
            else
                store_tile(2, r, &p, m + i * LANES + v, sum);
        }
        lanes_sums(&r->y, row, lane, sum);
    }
    for (int64_t i = 0; lanes_simple(&r->y) && act_is_curved(r->y.f.act) && i < n; i++)
        activate(r, first + i, panel);
}

/* ---- tasks ---- */

/* Tiles [FIRST, END) of planes [P0, P1) of maps of SIZE with PLANES, in CALLS
 * calls.  */
static struct ahead ahead_tiles(const struct winograd *g, const struct ahead_arrays *a,
                                const int64_t *size, int64_t planes, int64_t p0, int64_t p1,
                                int64_t first, int64_t end, int64_t calls)
{
    const int64_t area = size[0] * size[1] * LANES, row = size[1] * LANES;
    struct winograd_tile t, last;

    if (first >= g->tiles)
        return (struct ahead){0};
    t = winograd_tile_of(g, first);
    last = winograd_tile_of(g, (end < g->tiles ? end : g->tiles) - 1);
    if (last.image > t.image && p1 - p0 == planes &&
        end - first >= g->grid[0] * g->grid[1]) /* whole images */
        return ahead_of(a, t.image * planes * area, area, area, (last.image - t.image + 1) * planes,
                        calls);
    if (last.image > t.image)
        last.h = size[0] - g->side;
    return ahead_of(a, (t.image * planes + p0) * area + t.h * row, (last.h + g->side - t.h) * row,
                    area, p1 - p0, calls);
}

static void task(void *run, int64_t task, int thread)
{
    const struct winograd_run *r = run;
    const struct winograd *g = r->g;
    const struct weights w = {g, r->u, g->c};
    const int64_t row = task % g->strips, first = row * g->strip;
    const int64_t part = task / g->strips * g->part;
    const int64_t n = first + g->strip < g->tiles ? g->strip : g->tiles - first;
    const int64_t end = part + g->part < g->panels ? part + g->part : g->panels;
    const int64_t next = (row + 1) * g->strip;
    const int64_t calls = g->points * ((end - part + PANELS - 1) / PANELS) * ((n + MR - 1) / MR);
    float *v = r->scratch + (size_t)thread * g->thread_floats, *m = v + g->m_at;
    struct ahead in =
        ahead_tiles(g, &r->read, g->in, g->planes, 0, g->planes, next, next + g->strip, calls);
    struct ahead out =
        ahead_tiles(g, &r->written, g->out, g->panels, part, end, first, first + n, calls);

    transform_inputs(g, &r->x, first, first + n, 0, g->planes, v, v + g->band_at);
    multiply_all(&w, part, end, n, v, m, &in, &out);
    for (int64_t panel = part; panel < end; panel++)
        store(r, first, n, panel, m + (panel - part) * g->strip * LANES, row);
}

#include "cpu/winograd_grad.inc"

/* ---- weights ---- */

/* 3 x 3 numbers of one channel and a vector of outputs from O on.  */
INLINE void load_filters(const struct winograd *g, const float *w, int64_t o, int64_t c,
                         vf (*to)[3])
{
    float t[9][VL] = {{0}};

    for (int64_t k = 0; k < VL && o + k < g->o; k++) {
        const float *from = w + (g->turned ? c * g->o + o + k : (o + k) * g->c + c) * 9;

        for (int i = 0; i < 9; i++)
            t[i][k] = from[g->turned ? 8 - i : i];
    }
    EACH (i, 9)
        to[i / 3][i % 3] = vf_load(t[i]);
}

INLINE void transform_filters(const int side, vf (*w)[3], float *u, int64_t step)
{
    vf t[MOST_INPUTS][3];

    EACH (s, 3) {
        vf line[3] = {w[0][s], w[1][s], w[2][s]}, column[MOST_INPUTS];

        if (side == 4)
            filter_4(line, column);
        else
            filter_2(line, column);
        EACH (i, side + 2)
            t[i][s] = column[i];
    }
    EACH (i, side + 2) {
        vf line[MOST_INPUTS];

        if (side == 4)
            filter_4(t[i], line);
        else
            filter_2(t[i], line);
        EACH (j, side + 2)
            vf_store(u + (i * (side + 2) + j) * step, line[j]);
    }
}

static void pack_filters(const struct winograd *g, const float *w, float *to)
{
    for (int64_t o = 0; o < g->panels * LANES; o += VL)
        for (int64_t c = 0; c < g->c; c++) {
            float *u = to + (o / LANES * g->points * g->c + c) * LANES + o % LANES;
            vf f[3][3];

            load_filters(g, w, o, c, f);
            if (g->side == 4)
                transform_filters(4, f, u, g->c * LANES);
            else
                transform_filters(2, f, u, g->c * LANES);
        }
}

/* ---- records ---- */

static const struct winograd_isa isa = {MR,        PANELS,      sizeof(elem), task,
                                        grad_task, reduce_task, lanes_bias,   pack_filters};

#define RECORD(side)                                                                             \
    static int accepts_##side(const struct step_nodes *s)                                        \
    {                                                                                            \
        return winograd_accepts(&isa, side, s);                                                  \
    }                                                                                            \
    static size_t scratch_##side(const struct step_nodes *s, int threads)                        \
    {                                                                                            \
        return winograd_scratch(&isa, side, s, threads);                                         \
    }                                                                                            \
    static size_t pack_bytes_##side(const struct step_nodes *s, int i)                           \
    {                                                                                            \
        return winograd_pack_bytes(side, s, i);                                                  \
    }                                                                                            \
    static void pack_##side(const struct step_nodes *s, int i, const struct tensor *t, void *to) \
    {                                                                                            \
        (void)i;                                                                                 \
        winograd_pack(&isa, side, s, t, to);                                                     \
    }                                                                                            \
    static void run_##side(const struct kernel_args *a)                                          \
    {                                                                                            \
        winograd_run(&isa, side, a);                                                             \
    }

RECORD(2)
RECORD(4)

/* clang-format off */
#define COMMON(side) .name = "conv2d_winograd_" ISA_NAME, .op = "conv2d", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .saves = 1, .pulls = 1, .reads = ELEM_LAYOUT, .writes = ELEM_LAYOUT, \
    .accepts = accepts_##side, .scratch = scratch_##side, .pack_bytes = pack_bytes_##side, \
    .pack = pack_##side, .run = run_##side

const struct kernel ISA(conv2d_winograd_kernels)[] = {
    {COMMON(4), .dir = DIR_FORWARD, .epilogue = follow_names, .side = "bnstats", .lazy = LAZY_X},
    {COMMON(2), .dir = DIR_FORWARD, .epilogue = follow_names, .side = "bnstats", .lazy = LAZY_X},
    {COMMON(4), .dir = DIR_BACKWARD, .epilogue = writer_back_names, .side = "bnsums",
     .lazy = LAZY_X | LAZY_DY | LAZY_FOLLOW},
    {0},
};
/* clang-format on */
