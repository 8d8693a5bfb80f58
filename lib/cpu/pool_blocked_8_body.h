/* pool_blocked_8_body.h -- pooling of blocked u8 values, and a factor for each
 * channel; compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Channels are lanes.  Sums of a window are exact; the largest of its numbers
 * is that of their levels, which are moved to the result's grid at the end. */
#include "base/thread.h"
#include "cpu/kernels.h"
#include "cpu/vec8.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

enum { PV = LANES / VL, ROWS = 8 };

struct maps {
    struct window w;
    int64_t groups, bands; /* of 16 channels, over all images */
    int64_t c;
    int count_pad;
    const uint8_t *x;
    uint8_t *y, *rows; /* a row for each thread */
    const void *factor;
    struct grid8 g, factor_grid;
    struct requant q;
    struct levels levels;
    int same; /* grids: levels stay */
    uint8_t map[256];
};

static struct maps maps_of(const struct kernel_args *a)
{
    const struct tensor *x = &a->op.in[0];
    struct maps m = {.x = x->data, .y = a->op.out[0].data, .groups = layout_groups(&x->shape)};

    m.c = x->shape.dim[1];
    m.w.in[0] = x->shape.dim[2];
    m.w.in[1] = x->shape.dim[3];
    grid8_operand(a->op.node, 0, &m.g);
    quant8_requant(a->step, &m.q);
    m.levels = (struct levels){m.q.lo, m.q.hi, m.q.zero};
    return m;
}

static void run_windows(const struct kernel_args *a, struct maps *m, pool_fn *task)
{
    m->w = window_of(a->op.node, &a->op.in[0].shape, &a->op.out[0].shape);
    m->bands = (m->w.out[0] + ROWS - 1) / ROWS;
    pool_run(a->pool, m->groups * m->bands, task, m);
}

static int gives_u8(const struct step_nodes *s)
{
    struct requant q;
    struct grid8 g;

    return quant8_requant(s, &q) == 0 && q.to_u8 && grid8_operand(s->node[0], 0, &g) == 0;
}

/* ---- the largest ---- */

/* Nobody asks where the largest number was.  */
static int max_accepts(const struct step_nodes *s)
{
    const struct value *argmax = s->node[0]->out[1];

    return gives_u8(s) && !argmax->n_use && !value_is_output(s->node[0]->graph, argmax);
}

static int64_t row_bytes(const struct shape *x)
{
    return x->dim[3] * LANES + 64;
}

static size_t max_scratch(const struct step_nodes *s, int threads)
{
    return (size_t)(row_bytes(&s->node[0]->in[0]->shape) * threads);
}

INLINE void larger(uint8_t *to, const uint8_t *x, int64_t n)
{
    int64_t i = 0;

#if defined(__AVX512F__)
    for (; i + 64 <= n; i += 64)
        vi_store(to + i, _mm512_max_epu8(vi_load(to + i), vi_load(x + i)));
#endif
#if defined(__AVX2__)
    for (; i + 16 <= n; i += 16) {
        __m128i *const t = (__m128i *)(to + i);

        _mm_storeu_si128(
            t, _mm_max_epu8(_mm_loadu_si128(t), _mm_loadu_si128((const __m128i *)(x + i))));
    }
#endif
    for (; i < n; i++)
        to[i] = x[i] > to[i] ? x[i] : to[i];
}

INLINE void larger_lanes(uint8_t *to, const uint8_t *x)
{
    for (int i = 0; i < LANES; i++)
        to[i] = x[i] > to[i] ? x[i] : to[i];
}

/* Output J of the largest numbers of its rows.  */
INLINE void largest(const struct maps *m, const uint8_t *row, int64_t j, uint8_t *y)
{
    const struct window *w = &m->w;
    int64_t at = j * w->stride[1] - w->pad[1], lo = 0, hi = w->kernel[1];
    uint8_t most[LANES];

    if (at < 0 || at + (hi - 1) * w->dilation[1] >= w->in[1])
        window_taps(w, 1, j, &at, &lo, &hi);
    row += at * LANES;
    memcpy(most, row + lo * w->dilation[1] * LANES, LANES);
    for (int64_t s = lo + 1; s < hi; s++)
        larger_lanes(most, row + s * w->dilation[1] * LANES);
    for (int k = 0; !m->same && k < LANES; k++)
        most[k] = m->map[most[k]];
    memcpy(y, most, LANES);
}

static void max_task(void *maps, int64_t task, int thread)
{
    const struct maps *m = maps;
    const struct window *w = &m->w;
    const int64_t group = task / m->bands, first = task % m->bands * ROWS;
    const int64_t end = first + ROWS < w->out[0] ? first + ROWS : w->out[0];
    const int64_t n = w->in[1] * LANES;
    const uint8_t *x = m->x + group * w->in[0] * n;
    uint8_t *y = m->y + (group * w->out[0] + first) * w->out[1] * LANES;
    uint8_t *row = m->rows + thread * (n + 64);

    for (int64_t i = first; i < end; i++) {
        int64_t h, lo, hi;

        window_taps(w, 0, i, &h, &lo, &hi);
        memcpy(row, x + (h + lo * w->dilation[0]) * n, (size_t)n);
        for (int64_t r = lo + 1; r < hi; r++)
            larger(row, x + (h + r * w->dilation[0]) * n, n);
        for (int64_t j = 0; j < w->out[1]; j++, y += LANES)
            largest(m, row, j, y);
    }
}

static void max_run(const struct kernel_args *a)
{
    struct maps m = maps_of(a);

    m.rows = a->scratch;
    m.same = quant8_map(&m.g, &m.q, m.map);
    run_windows(a, &m, max_task);
}

/* ---- averages ---- */

/* Of N numbers of which INSIDE have the sum A of levels.  */
INLINE vf average(const struct maps *m, vi a, int64_t inside, int64_t n)
{
    const vf f = VF1(m->g.scale / (m->q.scale * (float)n));

    return vf_level(&m->levels, vf_of(vi_add(a, VI1((int32_t)(-m->g.zero * inside)))) * f);
}

/* Along D: the first input inside, how many taps are, and how many count with
 * padding (that beyond the padding never does).  */
static void along(const struct window *w, int d, int64_t p, int64_t *at, int64_t *n, int64_t *whole)
{
    int64_t start, lo, hi;
    const int64_t end = w->in[d] + w->pad[d + 2];

    window_taps(w, d, p, &start, &lo, &hi);
    *at = start + lo;
    *n = hi - lo;
    *whole = start + w->kernel[d] < end ? w->kernel[d] : end - start;
}

static void average_task(void *maps, int64_t task, int thread)
{
    const struct maps *m = maps;
    const struct window *w = &m->w;
    const int64_t group = task / m->bands, first = task % m->bands * ROWS;
    const int64_t end = first + ROWS < w->out[0] ? first + ROWS : w->out[0];
    const uint8_t *plane = m->x + group * w->in[0] * w->in[1] * LANES;
    uint8_t *y = m->y + (group * w->out[0] + first) * w->out[1] * LANES;

    (void)thread;
    for (int64_t i = first; i < end; i++)
        for (int64_t j = 0; j < w->out[1]; j++, y += LANES) {
            int64_t h, v, rows, columns, all[2];

            along(w, 0, i, &h, &rows, &all[0]);
            along(w, 1, j, &v, &columns, &all[1]);
            for (int p = 0; p < LANES; p += VL) {
                const uint8_t *x = plane + (h * w->in[1] + v) * LANES + p;
                vi a = VI1(0);

                for (int64_t r = 0; r < rows; r++)
                    for (int64_t s = 0; s < columns; s++)
                        a = vi_add(a, vi_of_u8(x + (r * w->in[1] + s) * LANES));
                vf_store_u8(y + p, average(m, a, rows * columns,
                                           m->count_pad ? all[0] * all[1] : rows * columns));
            }
        }
}

static void average_run(const struct kernel_args *a)
{
    struct maps m = maps_of(a);

    m.count_pad = (int)attr_int(a->op.node, "count_include_pad");
    run_windows(a, &m, average_task);
}

/* Lanes of a group that are channels go to a plain row.  */
static void mean_task(void *maps, int64_t group, int thread)
{
    const struct maps *m = maps;
    const int64_t per = (m->c + LANES - 1) / LANES, area = m->w.in[0] * m->w.in[1];
    const int64_t c = group % per * LANES, n = m->c - c < LANES ? m->c - c : LANES;
    const uint8_t *x = m->x + group * area * LANES;
    uint8_t t[LANES];

    (void)thread;
    for (int p = 0; p < LANES; p += VL) {
        vi a = VI1(0);

        for (int64_t i = 0; i < area; i++)
            a = vi_add(a, vi_of_u8(x + i * LANES + p));
        vf_store_u8(t + p, average(m, a, area, area));
    }
    memcpy(m->y + group / per * m->c + c, t, (size_t)n);
}

static void mean_run(const struct kernel_args *a)
{
    struct maps m = maps_of(a);

    pool_run(a->pool, m.groups, mean_task, &m);
}

/* ---- y = x factor, one for each image and channel, f32 or u8 ---- */

static int factor_accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape *x = &n->in[0]->shape, *f;
    struct grid8 g;

    if (n->n_in != 2 || value_is_tensor(n->in[1]) || n->in[1]->shape.rank != 4 || !gives_u8(s))
        return 0;
    f = &n->in[1]->shape;
    return x->dim[0] == f->dim[0] && x->dim[1] == f->dim[1] && f->dim[2] * f->dim[3] == 1 &&
           (!node_dequantize(n, 1) || grid8_operand(n, 1, &g) == 0);
}

INLINE vf factor_of(const struct maps *m, int64_t at)
{
    const struct grid8 *g = &m->factor_grid;

    if (g->scale == 0)
        return vf_load((const float *)m->factor + at);
    return (vf_of_u8((const uint8_t *)m->factor + at) - VF1((float)g->zero)) * VF1(g->scale);
}

static void factor_task(void *maps, int64_t group, int thread)
{
    const struct maps *m = maps;
    const int64_t area = m->w.in[0] * m->w.in[1];
    const vf zero = VF1((float)m->g.zero);

    (void)thread;
    for (int p = 0; p < LANES; p += VL) {
        const vf f = factor_of(m, group * LANES + p) * VF1(m->g.scale / m->q.scale);

        for (int64_t i = group * area * LANES + p; i < (group + 1) * area * LANES; i += LANES)
            vf_store_u8(m->y + i, vf_level(&m->levels, (vf_of_u8(m->x + i) - zero) * f));
    }
}

static void factor_run(const struct kernel_args *a)
{
    struct maps m = maps_of(a);

    m.factor = a->op.in[1].data;
    grid8_operand(a->op.node, 1, &m.factor_grid);
    pool_run(a->pool, m.groups, factor_task, &m);
}

/* clang-format off */
#define RECORD(o, f) .name = #o "_blocked_8_" ISA_NAME, .op = #o, .dir = DIR_FORWARD, \
    .isa = ISA_BITS, .dtypes = 1 << DTYPE_U8 | 1 << DTYPE_F32, .reads = LAYOUT_C16, \
    .pulls = 1, .quantised = 1, .epilogue = quant8_follow, .run = f

const struct kernel ISA(pool_blocked_8_kernels)[] = {
    {RECORD(maxpool2d, max_run), .writes = LAYOUT_C16, .accepts = max_accepts,
     .scratch = max_scratch},
    {RECORD(avgpool2d, average_run), .writes = LAYOUT_C16, .accepts = gives_u8},
    {RECORD(globalavgpool, mean_run), .accepts = gives_u8},
    {RECORD(mul, factor_run), .writes = LAYOUT_C16, .accepts = factor_accepts},
    {0},
};
/* clang-format on */
