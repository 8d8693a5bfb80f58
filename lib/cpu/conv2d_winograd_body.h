/* conv2d_winograd_body.h -- see winograd.h; compiled once per instruction set.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/lanes.h"
#include "cpu/outer.h"
#include "cpu/winograd.h"

enum { SIDES = 6 }; /* inputs of the larger tile along one axis */

/* ---- transforms along one axis ---- */

/* sqrt(1/2), sqrt(2) and their cubes */
#define A1 VF1(0.70710678118654752f)
#define B1 VF1(1.4142135623730950f)
#define A3 VF1(0.35355339059327376f)
#define B3 VF1(2.8284271247461901f)

/* Rows of B' d: half 0 those of 0, sqrt(1/2), -sqrt(1/2), half 1 the rest.  */
INLINE void input_4(const int half, const vf *d, vf *t)
{
    if (half == 0) {
        const vf even = vf_fnma(VF1(2), d[2], d[4]), odd = vf_fnma(VF1(2), d[1], d[3]);

        t[0] = vf_fnma(VF1(2.5f), d[2], d[0] + d[4]);
        t[1] = vf_fma(A1, odd, even);
        t[2] = vf_fnma(A1, odd, even);
    } else {
        const vf even = vf_fnma(VF1(.5f), d[2], d[4]), odd = vf_fnma(VF1(.5f), d[1], d[3]);

        t[0] = vf_fma(B1, odd, even);
        t[1] = vf_fnma(B1, odd, even);
        t[2] = vf_fnma(VF1(2.5f), d[3], d[1] + d[5]);
    }
}

INLINE void input_2(const vf *d, vf *t)
{
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[3] - d[1];
}

/* A' m.  */
INLINE void output_4(const vf *m, vf *y)
{
    const vf s = m[1] + m[2], d = m[1] - m[2], p = m[3] + m[4], q = m[3] - m[4];

    y[0] = (m[0] + s) + p;
    y[1] = vf_fma(A1, d, B1 * q);
    y[2] = vf_fma(VF1(.5f), s, p + p);
    y[3] = vf_fma(A3, d, vf_fma(B3, q, m[5]));
}

INLINE void output_2(const vf *m, vf *y)
{
    y[0] = (m[0] + m[1]) + m[2];
    y[1] = (m[1] - m[2]) + m[3];
}

/* ---- inputs ---- */

/* Rows [0, SIDES) of a tile at X, ROW floats apart, to points STEP apart.  */
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

/* The inputs of a tile that hangs over the edge, zeros outside.  */
static void copy_edge(const struct winograd *g, const float *x, int64_t h0, int64_t w0, float *to)
{
    const int64_t side = g->side + 2;

    for (int64_t h = h0; h < h0 + side; h++)
        for (int64_t w = w0; w < w0 + side; w++, to += LANES) {
            const int inside = h >= 0 && h < g->in[0] && w >= 0 && w < g->in[1];

            EACH (v, PV)
                vf_store(to + v * VL,
                         inside ? vf_load(x + (h * g->in[1] + w) * LANES + v * VL) : VF0);
        }
}

/* Tile T: its image and its first output.  */
struct tile_at {
    int64_t image, h, w;
};

static struct tile_at tile_at(const struct winograd *g, int64_t t)
{
    const int64_t area = g->grid[0] * g->grid[1];

    return (struct tile_at){t / area, t % area / g->grid[1] * g->side, t % g->grid[1] * g->side};
}

static void transform_inputs(const struct winograd *g, const float *x, const struct tile_at *t,
                             float *v)
{
    const int64_t h = t->h - g->pad[0], w = t->w - g->pad[1], side = g->side + 2;
    const int whole = h >= 0 && w >= 0 && h + side <= g->in[0] && w + side <= g->in[1];
    const int64_t area = g->in[0] * g->in[1] * LANES;
    float edge[SIDES * SIDES * LANES] __attribute__((aligned(64)));
    int64_t row = g->in[1] * LANES;

    x += t->image * g->planes * area;
    for (int64_t p = 0; p < g->planes; p++, x += area, v += g->strip * LANES) {
        const float *from = x + (h * g->in[1] + w) * LANES;

        if (!whole) {
            copy_edge(g, x, h, w, edge);
            from = edge;
            row = side * LANES;
        }
        for (int64_t i = 0; i < LANES; i += VL)
            if (g->side == 4)
                transform_4(from + i, row, v + i, g->v_point);
            else
                transform_2(from + i, row, v + i, g->v_point);
    }
}

/* ---- products ---- */

/* M tiles by PANELS groups of outputs at one point.  */
INLINE void product(const int m, const int panels, const struct winograd *g, const float *v,
                    const float *u, float *to)
{
    const int nv = panels * PV;
    vf a[PANELS * PV][MR];

    EACH (k, nv)
        EACH (i, m)
            a[k][i] = VF0;
    for (int64_t c = 0; c < g->c; c += LANES, v += g->strip * LANES, u += LANES * LANES)
        outer(m, nv, LANES, v, u, g->points * g->c * LANES, g->c - c < LANES ? g->c - c : LANES, a);
    EACH (k, nv)
        EACH (i, m)
            vf_store(to + (k / PV * g->strip + i) * LANES + k % PV * VL, a[k][i]);
}

typedef void product_fn(const struct winograd *g, const float *v, const float *u, float *to);

/* clang-format off */
#define PRODUCT(m) \
    static void whole_##m(const struct winograd *g, const float *v, const float *u, float *to) \
    { \
        product(m, PANELS, g, v, u, to); \
    } \
    static void last_##m(const struct winograd *g, const float *v, const float *u, float *to) \
    { \
        product(m, 1, g, v, u, to); \
    }

PRODUCT(1) PRODUCT(2) PRODUCT(3)
#if defined(__AVX2__)
PRODUCT(4) PRODUCT(5) PRODUCT(6)
#endif
#if defined(__AVX512F__)
PRODUCT(7) PRODUCT(8) PRODUCT(9) PRODUCT(10) PRODUCT(11) PRODUCT(12) PRODUCT(13) PRODUCT(14)
#endif

/* By tiles - 1, whole.  */
static product_fn *const products[MR][2] = {
    {last_1, whole_1}, {last_2, whole_2}, {last_3, whole_3},
#if defined(__AVX2__)
    {last_4, whole_4}, {last_5, whole_5}, {last_6, whole_6},
#endif
#if defined(__AVX512F__)
    {last_7, whole_7}, {last_8, whole_8}, {last_9, whole_9}, {last_10, whole_10},
    {last_11, whole_11}, {last_12, whole_12}, {last_13, whole_13}, {last_14, whole_14},
#endif
};
/* clang-format on */

/* TILES tiles at one point, in products of much the same size.  */
static void multiply(const struct winograd *g, int64_t tiles, int whole, const float *v,
                     const float *u, float *to)
{
    for (int64_t left = (tiles + MR - 1) / MR; left; left--) {
        const int64_t m = (tiles + left - 1) / left;

        products[m - 1][whole](g, v, u, to);
        v += m * LANES;
        to += m * LANES;
        tiles -= m;
    }
}

/* ---- outputs ---- */

INLINE void gather_4(const float *m, int64_t step, vf (*y)[4])
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

INLINE void gather_2(const float *m, int64_t step, vf (*y)[4])
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

/* Outputs of tile T, 16 channels from LANE on, one vector of them.  */
INLINE void store_tile(const int side, const struct winograd_run *r, const struct tile_at *t,
                       int64_t lane, const float *m)
{
    const struct winograd *g = r->g;
    const int64_t plane = t->image * g->panels + lane / LANES;
    const int64_t at = ((plane * g->out[0] + t->h) * g->out[1] + t->w) * LANES + lane % LANES;
    const int64_t row = g->out[1] * LANES;
    const int whole = t->h + side <= g->out[0] && t->w + side <= g->out[1];
    vf y[4][4];

    if (side == 4)
        gather_4(m, g->m_point, y);
    else
        gather_2(m, g->m_point, y);
    EACH (i, side)
        EACH (j, side)
            if (whole || (t->h + i < g->out[0] && t->w + j < g->out[1])) {
                const int64_t q = at + i * row + j * LANES;

                vf_store(r->y + q, lanes_finish(&r->f, q, lane, y[i][j]));
            }
}

/* Other activations than clipping, on the outputs of a tile just stored.  */
static void activate(const struct winograd_run *r, const struct tile_at *t, int64_t panel)
{
    const struct winograd *g = r->g;
    const int64_t h1 = t->h + g->side < g->out[0] ? t->h + g->side : g->out[0];
    const int64_t n = t->w + g->side < g->out[1] ? g->side : g->out[1] - t->w;

    for (int64_t h = t->h; h < h1; h++)
        lanes_activate(
            &r->f,
            r->y + (((t->image * g->panels + panel) * g->out[0] + h) * g->out[1] + t->w) * LANES,
            n * LANES);
}

static void store(const struct winograd_run *r, const struct tile_at *t, int64_t panel,
                  const float *m)
{
    for (int64_t i = 0; i < LANES; i += VL)
        if (r->g->side == 4)
            store_tile(4, r, t, panel * LANES + i, m + i);
        else
            store_tile(2, r, t, panel * LANES + i, m + i);
    if (r->f.act > ACT_CLIP)
        activate(r, t, panel);
}

/* ---- tasks ---- */

static void task(void *run, int64_t task, int thread)
{
    const struct winograd_run *r = run;
    const struct winograd *g = r->g;
    const int64_t first = task % g->strips * g->strip, part = task / g->strips * g->part;
    const int64_t n = first + g->strip < g->tiles ? g->strip : g->tiles - first;
    const int64_t end = part + g->part < g->panels ? part + g->part : g->panels;
    float *v = r->scratch + (size_t)thread * g->thread_floats, *m = v + g->v_floats;

    for (int64_t i = 0; i < n; i++) {
        const struct tile_at t = tile_at(g, first + i);

        transform_inputs(g, r->x, &t, v + i * LANES);
    }
    for (int64_t panel = part; panel < end; panel += PANELS) {
        const int whole = panel + PANELS <= end;
        const float *u = r->u + panel * g->points * g->c * LANES;

        for (int64_t p = 0; p < g->points; p++, u += g->c * LANES)
            multiply(g, n, whole, v + p * g->v_point, u, m + p * g->m_point);
        for (int64_t i = 0; i < n; i++) {
            const struct tile_at t = tile_at(g, first + i);

            for (int k = 0; k < (whole ? PANELS : 1); k++)
                store(r, &t, panel + k, m + (k * g->strip + i) * LANES);
        }
    }
}

/* ---- the record ---- */

static const struct winograd_isa isa = {MR, PANELS, task};

static size_t scratch(const struct step_nodes *s, int threads)
{
    return winograd_scratch(&isa, s, threads);
}

static void pack(const struct step_nodes *s, int i, const struct tensor *t, void *to)
{
    (void)i;
    winograd_pack(s, t, to);
}

static void run(const struct kernel_args *a)
{
    winograd_run(&isa, a);
}

const struct kernel ISA(conv2d_winograd_kernels)[] = {
    {.name = "conv2d_winograd_" ISA_NAME,
     .op = "conv2d",
     .dir = DIR_FORWARD,
     .isa = ISA_BITS,
     .dtypes = 1 << DTYPE_F32,
     .saves = 1,
     .pulls = 1,
     .reads = LAYOUT_C16,
     .writes = LAYOUT_C16,
     .epilogue = follow_names,
     .accepts = winograd_accepts,
     .scratch = scratch,
     .pack_bytes = winograd_pack_bytes,
     .pack = pack,
     .run = run},
    {0},
};
