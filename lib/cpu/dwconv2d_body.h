/* dwconv2d_body.h -- depthwise convolution: one channel in, one out; compiled
 * once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Pixels are lanes, a task is a plane (or a band of one), taps are added in
 * order into strips of four vectors.  Where outputs and inputs advance alike,
 * a strip runs on across the ends of rows and what falls between them is
 * dropped, so narrow maps fill vectors too.  Geometry, cutting and the sums
 * over chunks of images are those of conv2d_gemm.h.  */
#include "cpu/band.h"
#include "cpu/conv2d_gemm.h"
#include "cpu/kernels.h"
#include "cpu/vec.h"

enum { NV = 4, STRIP = NV * VL };

/* acc[STRIP] = sum over k of w[k] x[off[k] + lane] */
INLINE void strip(const int nv, const float *w, const float *x, const int32_t *off, int64_t k,
                  float *acc)
{
    vf a[NV];

    EACH (v, nv)
        a[v] = VF0;
    for (int64_t j = 0; j < k; j++) {
        const float *p = x + off[j];
        const vf b = VF1(w[j]);

        EACH (v, nv)
            a[v] = vf_fma(b, vf_load(p + v * VL), a[v]);
    }
    EACH (v, nv)
        vf_store(acc + v * VL, a[v]);
}

static void strip_n(int64_t n, const float *w, const float *x, const int32_t *off, int64_t k,
                    float *acc)
{
    if (n > 3 * VL)
        strip(4, w, x, off, k, acc);
    else if (n > 2 * VL)
        strip(3, w, x, off, k, acc);
    else if (n > VL)
        strip(2, w, x, off, k, acc);
    else
        strip(1, w, x, off, k, acc);
}

/* A plane, number PLANE of all images.  */
struct plane {
    const struct sweep *s;
    const struct sweep_run *r;
    const float *x, *w;
    const int32_t *off;
    float *acc;
    int64_t plane, channel;
};

static void fetch_rows(const struct plane *l, int64_t first, float *scratch);
static void store_part(const struct plane *l, const float *acc, int64_t i, int64_t j, int64_t n);

/* Rows [I, END) as one line of the copy's pitch.  */
static void run_line(const struct plane *l, int64_t first, int64_t end)
{
    const struct sweep *s = l->s;
    const int64_t length = (end - first - 1) * s->row + s->out[1];

    for (int64_t at = 0; at < length; at += STRIP) {
        const int64_t n = length - at < STRIP ? length - at : STRIP;

        strip_n(n, l->w, l->x + at, l->off, s->k, l->acc);
        for (int64_t i = at / s->row; i * s->row < at + n; i++) {
            const int64_t from = i * s->row > at ? i * s->row : at;
            const int64_t to = i * s->row + s->out[1] < at + n ? i * s->row + s->out[1] : at + n;

            if (from < to)
                store_part(l, l->acc + from - at, first + i, from - i * s->row, to - from);
        }
    }
}

static void run_rows(const struct plane *l, int64_t first, int64_t end)
{
    const struct sweep *s = l->s;

    for (int64_t i = first; i < end; i++)
        for (int64_t j = 0; j < s->out[1]; j += STRIP) {
            const int64_t n = s->out[1] - j < STRIP ? s->out[1] - j : STRIP;
            const float *x = l->x + (i - first) * s->step[0] * s->row + j;

            strip_n(n, l->w, x, l->off, s->k, l->acc);
            store_part(l, l->acc, i, j, n);
        }
}

/* Plane and band number TASK.  */
static void run_plane(const struct sweep_run *r, int64_t task, float *scratch)
{
    const struct sweep *s = r->s;
    const int64_t plane = task / s->bands, c = plane % s->groups;
    const int64_t rows = s->band / s->out[1];
    const int64_t first = task % s->bands * rows;
    const int64_t end = first + rows < s->out[0] ? first + rows : s->out[0];
    struct plane l = {.s = s, .r = r, .plane = plane, .channel = c};

    l.off = (const int32_t *)r->shared;
    l.w = r->packed + c * s->k;
    l.acc = scratch + s->tile_at;
    l.x = scratch + s->copy_at;
    if (s->k)
        fetch_rows(&l, first, scratch);
    if (s->step[0] == 1 && s->row < 2 * s->out[1])
        run_line(&l, first, end);
    else
        run_rows(&l, first, end);
}

static void sweep_task(void *run, int64_t task, int thread)
{
    const struct sweep_run *r = run;
    float *scratch = r->scratch + (size_t)thread * r->scratch_floats;

    for (int64_t t = task * r->grain; t < (task + 1) * r->grain && t < r->tasks; t++)
        run_plane(r, t, scratch);
}

static void fetch_rows(const struct plane *l, int64_t first, float *scratch)
{
    const struct sweep *s = l->s;

    copy_band(s, l->r->x + l->plane * s->in[0] * s->in[1], first, scratch + s->copy_at);
}

static void store_part(const struct plane *l, const float *acc, int64_t i, int64_t j, int64_t n)
{
    const struct sweep *s = l->s;
    const struct follow *f = &l->r->f;
    const int64_t p = i * s->out[1] + j, at = l->plane * s->map[0] * s->map[1];

    if (s->map_step[0] == 1 && s->map_step[1] == 1)
        store_row(f, acc, n, l->r->y + at + p, f->add ? f->add + at + p : NULL,
                  f->scale ? f->scale[l->channel] : 1, f->scale ? f->shift[l->channel] : 0);
    else
        spread(s, acc, p, n, l->r->y + at);
}

/* ---- weight gradients ---- */

/* What copy_band() must know of the rows that a band of dy reads.  */
static struct sweep reader(const struct gemm_wgrad *g)
{
    struct sweep s = {.c = 1, .row = g->row, .rows = g->rows, .phase = g->row / g->stride[1]};

    for (int d = 0; d < 2; d++) {
        s.in[d] = g->in[d];
        s.step[d] = g->stride[d];
        s.t[d].low = -g->pad[d];
    }
    return s;
}

/* Rows of dy, zeros behind each.  */
static void copy_dy(const struct gemm_wgrad *g, const float *dy, int64_t rows, float *to)
{
    for (int64_t i = 0; i < rows; i++, dy += g->out[1], to += g->dy_row) {
        memcpy(to, dy, (size_t)g->out[1] * sizeof *to);
        memset(to + g->out[1], 0, (size_t)(g->dy_row - g->out[1]) * sizeof *to);
    }
}

/* sum[0..n) += over the pixels, dy x at N taps.  */
INLINE void taps(const int n, const struct gemm_wgrad *g, const float *x, const float *dy,
                 int64_t rows, const int32_t *off, float *sum)
{
    vf a[8];

    EACH (t, n)
        a[t] = VF0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < g->out[1]; j += VL) {
            const float *p = x + i * g->stride[0] * g->row + j;
            const vf d = vf_load(dy + i * g->dy_row + j);

            EACH (t, n)
                a[t] = vf_fma(d, vf_load(p + off[t]), a[t]);
        }
    EACH (t, n)
        sum[t] += vf_sum(a[t]);
}

static void all_taps(const struct gemm_wgrad *g, const float *x, const float *dy, int64_t rows,
                     const int32_t *off, float *sum)
{
    const int64_t k = g->kernel[0] * g->kernel[1];
    int64_t t = 0;

    for (; t + 8 <= k; t += 8)
        taps(8, g, x, dy, rows, off + t, sum + t);
    for (; t + 3 <= k; t += 3)
        taps(3, g, x, dy, rows, off + t, sum + t);
    for (; t < k; t++)
        taps(1, g, x, dy, rows, off + t, sum + t);
}

static float dy_sum(const float *dy, int64_t n)
{
    vf s = VF0;

    for (int64_t i = 0; i < n; i += VL)
        s = s + vf_load(dy + i);
    return vf_sum(s);
}

static void wgrad_task(void *run, int64_t task, int thread)
{
    const struct gemm_wgrad_run *r = run;
    const struct gemm_wgrad *g = r->g;
    const int64_t c = task % g->groups, chunk = task / g->groups;
    const int64_t k = g->kernel[0] * g->kernel[1];
    const size_t floats = g->part / (size_t)g->groups;
    const int64_t end = (chunk + 1) * g->per_chunk < g->n ? (chunk + 1) * g->per_chunk : g->n;
    const struct sweep s = reader(g);
    float *x = r->scratch + (size_t)thread * r->scratch_floats + g->x_at;
    float *dy = r->scratch + (size_t)thread * r->scratch_floats + g->dy_at;
    float *sum = r->part + (size_t)chunk * g->part + (size_t)c * floats;
    int32_t off[DEPTHWISE_TAPS];

    for (int64_t t = 0; t < k; t++) {
        const int64_t u = t % g->kernel[1] * g->dil[1];

        off[t] = (int32_t)(t / g->kernel[1] * g->dil[0] * g->row + u % g->stride[1] * s.phase +
                           u / g->stride[1]);
    }
    memset(sum, 0, floats * sizeof *sum);
    for (int64_t n = chunk * g->per_chunk; n < end; n++)
        for (int64_t i = 0; i < g->out[0]; i += g->band) {
            const int64_t rows = g->out[0] - i < g->band ? g->out[0] - i : g->band;
            const int64_t plane = n * g->groups + c;

            copy_band(&s, r->x + plane * g->in[0] * g->in[1], i, x);
            fill_over(x + g->rows * g->row, 0, 2 * VL); /* meets zeros of dy */
            copy_dy(g, r->dy + (plane * g->out[0] + i) * g->out[1], rows, dy);
            all_taps(g, x, dy, rows, off, sum);
            if (r->want_db)
                sum[k] += dy_sum(dy, rows * g->dy_row);
        }
}

/* ---- records ---- */

static const struct conv_isa isa = {1, 1, STRIP, 1, sweep_task, wgrad_task};

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
#define COMMON .name = "dwconv2d_" ISA_NAME, .op = "conv2d", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .accepts = conv2d_gemm_accepts_depthwise, .scratch = scratch, \
    .pack_bytes = pack_bytes, .pack = pack, .run = run
/* clang-format on */

const struct kernel ISA(dwconv2d_kernels)[] = {
    {COMMON, .dir = DIR_FORWARD, .epilogue = follow_names},
    {COMMON, .dir = DIR_BACKWARD},
    {0},
};
