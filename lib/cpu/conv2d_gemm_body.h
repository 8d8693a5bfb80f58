/* conv2d_gemm_body.h -- the arithmetic of conv2d_gemm.h; compiled once per
 * instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/band.h"
#include "cpu/conv2d_gemm.h"
#include "cpu/kernels.h"
#include "cpu/transpose.h"
#include "cpu/vec.h"

/* Accumulators: 8 x 3 of the 32 registers of AVX-512, 4 x 3 of 16.  */
enum { MR = VL == 16 ? 8 : 4, NV = 3, NR = NV * VL };

/* Pixels that lie beside each other both in x and in the panel.  */
struct segment {
    int32_t from, n;
};

/* What a task works on.  */
struct place {
    const struct sweep *s;
    const struct sweep_run *r;
    const float *x, *w; /* the elements that taps read; of the group */
    const int32_t *off;
    int64_t plane;   /* number of image and group */
    int64_t channel; /* the first output */
    int64_t row;     /* of the grid at x */
    int64_t part, part_end;
};

static void tile(int nv, const float *w, const float *const b[NV], const int32_t *off, int64_t k,
                 float *acc, int first);
static void store(const struct place *l, int64_t b, const float *acc, int64_t p, int64_t n);
static const float *fetch(const struct place *l, float *scratch);

static int find_segments(const struct place *l, int64_t p, int64_t n, struct segment *g)
{
    const struct sweep *s = l->s;
    int count = 0;

    while (n) {
        const int64_t i = p / s->out[1], j = p % s->out[1];
        const int64_t m = s->out[1] - j < n ? s->out[1] - j : n;

        g[count++] =
            (struct segment){(int32_t)((i - l->row) * s->step[0] * s->row + j), (int32_t)m};
        p += m;
        n -= m;
    }
    return count;
}

/* Taps [0, K) at OFF into TO [k][NR].  The copy of x has room behind it.  */
static void pack_panel(const struct place *l, const struct segment *g, int count,
                       const int32_t *off, int64_t k, float *to)
{
    const int exact = !l->s->copy;

    for (int64_t j = 0; j < k; j++, to += NR) {
        float *t = to;

        for (int i = 0; i < count; i++) {
            const float *from = l->x + off[j] + g[i].from;
            const int n = g[i].n;

            if (exact)
                copy_over(t, from, n);
            else
                for (int q = 0; q < n; q += VL)
                    vf_store(t + q, vf_load(from + q));
            t += n;
        }
    }
}

/* Do vectors of x serve as they lie?  B: where.  */
static int direct(const struct place *l, int64_t p, int64_t n, const float *b[NV])
{
    const struct sweep *s = l->s;

    if (!s->copy && (n % VL || (l->part_end - l->part) * MR > 32))
        return 0;
    for (int v = 0; v * VL < n; v++) {
        const int64_t at = p + v * VL, i = at / s->out[1], j = at % s->out[1];
        const int64_t m = n - v * VL < VL ? n - v * VL : VL;

        if (j + m > s->out[1] && !(s->copy && s->row == s->out[1] && s->step[0] == 1))
            return 0;
        b[v] = l->x + (i - l->row) * s->step[0] * s->row + j;
    }
    return 1;
}

static void run_direct(const struct place *l, int64_t p, int64_t n, const float *const b[NV],
                       float *acc)
{
    for (int64_t o = l->part; o < l->part_end; o++) {
        tile((int)((n + VL - 1) / VL), l->w + o * MR * l->s->k, b, l->off, l->s->k, acc, 1);
        store(l, o, acc, p, n);
    }
}

/* Panels of kc taps; sums of all outputs wait in ACC between them.  */
static void run_panels(const struct place *l, int64_t p, int64_t n, float *panel, float *acc)
{
    const struct sweep *s = l->s;
    const float *b[NV] = {panel, panel + VL, panel + 2 * VL};
    struct segment g[NR];
    const int count = find_segments(l, p, n, g);
    int64_t k = 0;

    do {
        const int64_t m = s->k - k < s->kc ? s->k - k : s->kc;
        float *a = acc;

        pack_panel(l, g, count, l->off + k, m, panel);
        for (int64_t o = l->part; o < l->part_end; o++) {
            tile((int)((n + VL - 1) / VL), l->w + (o * s->k + k) * MR, b, l->off + s->k, m, a,
                 k == 0);
            if (k + m == s->k)
                store(l, o, a, p, n);
            if (s->k > s->kc)
                a += MR * NR;
        }
        k += m;
    } while (k < s->k);
}

/* Three vectors at a time; four that are left as two and two.  */
static int64_t next_pixels(int64_t left)
{
    return left > 3 * VL && left <= 4 * VL ? 2 * VL : left < NR ? left : NR;
}

static struct place find_place(const struct sweep_run *r, int64_t task, int64_t *band)
{
    const struct sweep *s = r->s;
    const int64_t blocks = (s->o + MR - 1) / MR;
    struct place l = {.s = s, .r = r, .off = (const int32_t *)r->shared};

    l.part = task % s->parts * s->part;
    l.part_end = l.part + s->part < blocks ? l.part + s->part : blocks;
    task /= s->parts;
    *band = task % s->bands;
    task /= s->bands; /* image and group */
    l.plane = task;
    l.channel = task % s->groups * s->o;
    l.w = r->packed + task % s->groups * blocks * MR * s->k;
    return l;
}

static void sweep_task(void *run, int64_t task, int thread)
{
    const struct sweep_run *r = run;
    const struct sweep *s = r->s;
    float *scratch = r->scratch + (size_t)thread * r->scratch_floats;
    int64_t band, p, end;
    struct place l = find_place(r, task, &band);

    p = band * s->band;
    end = s->out[0] * s->out[1];
    end = p + s->band < end ? p + s->band : end;
    l.row = s->copy ? p / s->out[1] : 0;
    l.x = fetch(&l, scratch);
    while (p < end) {
        const int64_t n = next_pixels(end - p);
        const float *b[NV] = {l.x, l.x, l.x};

        if (direct(&l, p, n, b))
            run_direct(&l, p, n, b, scratch + s->tile_at);
        else
            run_panels(&l, p, n, scratch + s->panel_at, scratch + s->tile_at);
        p += n;
    }
}

/* ---- a tile ---- */

/* acc[MR][NR] (+)= w[k][MR] x[k][NV VL], vector v of tap k at b_v + off[k].  */
INLINE void tile_nv(const int nv, const float *w, const float *b0, const float *b1, const float *b2,
                    const int32_t *off, int64_t k, float *acc, int first)
{
    vf a[MR][NV];

    EACH (i, MR)
        EACH (v, nv)
            a[i][v] = first ? VF0 : vf_load(acc + i * NR + v * VL);
    for (int64_t j = 0; j < k; j++, w += MR) {
        const int64_t at = off[j];
        vf x[NV];

        x[0] = vf_load(b0 + at);
        if (nv > 1)
            x[1] = vf_load(b1 + at);
        if (nv > 2)
            x[2] = vf_load(b2 + at);
        EACH (i, MR) {
            const vf b = VF1(w[i]);

            EACH (v, nv)
                a[i][v] = vf_fma(b, x[v], a[i][v]);
        }
    }
    EACH (i, MR)
        EACH (v, nv)
            vf_store(acc + i * NR + v * VL, a[i][v]);
}

static void tile(int nv, const float *w, const float *const b[NV], const int32_t *off, int64_t k,
                 float *acc, int first)
{
    if (nv == 3)
        tile_nv(3, w, b[0], b[1], b[2], off, k, acc, first);
    else if (nv == 2)
        tile_nv(2, w, b[0], b[1], NULL, off, k, acc, first);
    else
        tile_nv(1, w, b[0], NULL, NULL, off, k, acc, first);
}

static void store(const struct place *l, int64_t b, const float *acc, int64_t p, int64_t n)
{
    const struct sweep *s = l->s;
    const struct follow *f = &l->r->f;
    const int64_t plane = s->map[0] * s->map[1];
    const int dense = s->map_step[0] == 1 && s->map_step[1] == 1;

    for (int64_t o = b * MR; o < (b + 1) * MR && o < s->o; o++, acc += NR) {
        const float scale = f->scale ? f->scale[l->channel + o] : 1;
        const float shift = f->scale ? f->shift[l->channel + o] : 0;
        const int64_t at = (l->plane * s->o + o) * plane;

        if (dense)
            store_row(f, acc, n, l->r->y + at + p, f->add ? f->add + at + p : NULL, scale, shift);
        else
            spread(s, acc, p, n, l->r->y + at);
    }
}

static const float *fetch(const struct place *l, float *scratch)
{
    const struct sweep *s = l->s;
    const float *x = l->r->x + l->plane * s->c * s->in[0] * s->in[1];

    if (!s->copy || !s->k)
        return x;
    copy_band(s, x, l->row, scratch + s->copy_at);
    return scratch + s->copy_at;
}

/* ---- weight gradients ---- */

/* x rows from input row H0 on as [row][column][channel], with padding.  */
static void turn_x(const struct gemm_wgrad *g, const float *x, int64_t h0, float *to)
{
    const int64_t cols = g->row / g->c, plane = g->in[0] * g->in[1];
    const int64_t a = g->pad[1] < cols ? g->pad[1] : cols;
    const int64_t b = g->in[1] + g->pad[1] < cols ? g->in[1] + g->pad[1] : cols;

    for (int64_t u = 0; u < g->rows; u++, to += g->row) {
        const int64_t h = h0 + u;

        if (h < 0 || h >= g->in[0]) {
            memset(to, 0, (size_t)g->row * sizeof *to);
            continue;
        }
        memset(to, 0, (size_t)(a * g->c) * sizeof *to);
        transpose(to + a * g->c, g->c, x + h * g->in[1], plane, g->c, b - a);
        memset(to + b * g->c, 0, (size_t)((cols - b) * g->c) * sizeof *to);
    }
}

/* N pixels of dy as [pixel][output].  */
static void turn_dy(const struct gemm_wgrad *g, const float *dy, int64_t n, float *to)
{
    transpose(to, g->op, dy, g->out[0] * g->out[1], g->o, n);
    if (g->o < g->op)
        for (int64_t i = 0; i < n; i++)
            memset(to + i * g->op + g->o, 0, (size_t)(g->op - g->o) * sizeof *to);
}

/* What is transposed: IMAGES images, ROWS rows of the grid of each.  */
struct turned {
    const float *x, *dy;
    int64_t images, rows;
};

/* sum[MR][vecs VL] += over the pixels, dy[MR outputs] x[NV vectors].  */
INLINE void wtile_nv(const int nv, const struct gemm_wgrad *g, const struct turned *t,
                     const int64_t at[NV], int64_t o, float *sum)
{
    const int64_t cols = g->out[1], op = g->op, dx = g->stride[1] * g->c;
    vf a[MR][NV];

    EACH (i, MR)
        EACH (v, nv)
            a[i][v] = VF0;
    for (int64_t m = 0; m < t->images * t->rows; m++) {
        const int64_t image = m / t->rows, row = m % t->rows;
        const float *x0 = t->x + (image * g->rows + row * g->stride[0]) * g->row;
        const float *d = t->dy + (image * g->band + row) * cols * op + o;
        const float *x1 = x0 + at[1], *x2 = x0 + at[2];

        x0 += at[0];
        for (int64_t j = 0, k = 0; j < cols; j++, k += dx, d += op) {
            vf x[NV];

            x[0] = vf_load(x0 + k);
            if (nv > 1)
                x[1] = vf_load(x1 + k);
            if (nv > 2)
                x[2] = vf_load(x2 + k);
            EACH (i, MR) {
                const vf b = VF1(d[i]);

                EACH (v, nv)
                    a[i][v] = vf_fma(b, x[v], a[i][v]);
            }
        }
    }
    EACH (i, MR)
        EACH (v, nv) {
            float *to = sum + i * g->vecs * VL + v * VL;

            vf_store(to, vf_load(to) + a[i][v]);
        }
}

static int64_t vector_at(const struct gemm_wgrad *g, int64_t v)
{
    const int64_t run = v / g->run_vecs;
    const int64_t h = g->dil[1] == 1 ? run : run / g->kernel[1];
    const int64_t w = g->dil[1] == 1 ? 0 : run % g->kernel[1];

    return h * g->dil[0] * g->row + w * g->dil[1] * g->c + v % g->run_vecs * VL;
}

static void accumulate(const struct gemm_wgrad *g, const struct turned *t, float *sum)
{
    for (int64_t v = 0; v < g->vecs; v += NV) {
        const int64_t nv = g->vecs - v < NV ? g->vecs - v : NV;
        int64_t at[NV] = {0};

        for (int64_t i = 0; i < nv; i++)
            at[i] = vector_at(g, v + i);
        for (int64_t o = 0; o < g->op; o += MR) {
            float *to = sum + o * g->vecs * VL + v * VL;

            if (nv == 3)
                wtile_nv(3, g, t, at, o, to);
            else if (nv == 2)
                wtile_nv(2, g, t, at, o, to);
            else
                wtile_nv(1, g, t, at, o, to);
        }
    }
}

static void sum_planes(const struct gemm_wgrad *g, const float *dy, float *db)
{
    const int64_t area = g->out[0] * g->out[1];

    for (int64_t o = 0; o < g->o; o++, dy += area) {
        vf s = VF0;
        int64_t i = 0;

        for (; i + VL <= area; i += VL)
            s = s + vf_load(dy + i);
        if (i < area)
            s = s + vf_load_n(dy + i, area - i);
        db[o] += vf_sum(s);
    }
}

static void wgrad_task(void *run, int64_t task, int thread)
{
    const struct gemm_wgrad_run *r = run;
    const struct gemm_wgrad *g = r->g;
    const int64_t group = task % g->groups, chunk = task / g->groups;
    const size_t floats = g->part / (size_t)g->groups;
    const int64_t x_size = g->c * g->in[0] * g->in[1], y_size = g->o * g->out[0] * g->out[1];
    const int64_t end = (chunk + 1) * g->per_chunk < g->n ? (chunk + 1) * g->per_chunk : g->n;
    float *scratch = r->scratch + (size_t)thread * r->scratch_floats;
    float *sum = r->part + (size_t)chunk * g->part + (size_t)group * floats;
    int64_t n = chunk * g->per_chunk;

    memset(sum, 0, floats * sizeof *sum);
    for (; n < end; n += g->images)
        for (int64_t i = 0; i < g->out[0]; i += g->band) {
            struct turned t = {scratch + g->x_at, scratch + g->dy_at, 0, 0};

            t.images = end - n < g->images ? end - n : g->images;
            t.rows = g->out[0] - i < g->band ? g->out[0] - i : g->band;
            for (int64_t m = 0; m < t.images; m++) {
                const int64_t at = (n + m) * g->groups + group;

                turn_x(g, r->x + at * x_size, i * g->stride[0] - g->pad[0],
                       scratch + g->x_at + m * g->rows * g->row);
                turn_dy(g, r->dy + at * y_size + i * g->out[1], t.rows * g->out[1],
                        scratch + g->dy_at + m * g->band * g->out[1] * g->op);
                if (r->want_db && i == 0)
                    sum_planes(g, r->dy + at * y_size, sum + g->op * g->vecs * VL);
            }
            accumulate(g, &t, sum);
        }
}

/* ---- records ---- */

static const struct conv_isa isa = {VL, MR, NR, 0, sweep_task, wgrad_task};

static size_t scratch(const struct step_nodes *s, int threads)
{
    return conv2d_gemm_scratch(&isa, s, threads);
}

static size_t pack_bytes(const struct step_nodes *s, int i)
{
    return conv2d_gemm_pack_bytes(&isa, s, i);
}

static void pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    (void)i;
    conv2d_gemm_pack(&isa, s, t, packed);
}

static void run(const struct kernel_args *a)
{
    conv2d_gemm_run(&isa, a);
}

/* clang-format off */
#define COMMON .name = "conv2d_gemm_" ISA_NAME, .op = "conv2d", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .accepts = conv2d_gemm_accepts, .scratch = scratch, \
    .pack_bytes = pack_bytes, .pack = pack, .run = run
/* clang-format on */

const struct kernel ISA(conv2d_gemm_kernels)[] = {
    {COMMON, .dir = DIR_FORWARD, .epilogue = follow_names},
    {COMMON, .dir = DIR_BACKWARD},
    {0},
};
