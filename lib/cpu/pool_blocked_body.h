/* pool_blocked_body.h -- pooling of blocked values; compiled once per
 * instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Channels are lanes; each output is one chain over its window.  */
#include <math.h>

#include "base/thread.h"
#include "cpu/elem.h"
#include "cpu/kernels.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

enum { PV = LANES / VL, ROWS = 8 };

struct maps {
    struct window w;
    int64_t groups, bands; /* of 16 channels, over all images */
    int64_t c;
    int count_pad;
    const void *x; /* elem, where not plain */
    void *y;
    int32_t *argmax;
    float *sums; /* of threads, where those of gradients need room */
};

static struct maps maps_of(const struct kernel_args *a)
{
    const struct tensor *x = &a->op.in[0], *y = &a->op.out[0];
    struct maps m = {.x = x->data, .y = y->data, .groups = layout_groups(&x->shape)};

    m.c = x->shape.dim[1];
    m.w.in[0] = x->shape.dim[2];
    m.w.in[1] = x->shape.dim[3];
    return m;
}

static void run_windows(const struct kernel_args *a, pool_fn *task, int count_pad, int32_t *argmax)
{
    struct maps m = maps_of(a);

    m.argmax = argmax;
    m.w = window_of(a->op.node, &a->op.in[0].shape, &a->op.out[0].shape);
    m.bands = (m.w.out[0] + ROWS - 1) / ROWS;
    m.count_pad = count_pad;
    pool_run(a->pool, m.groups * m.bands, task, &m);
}

/* The window of one output: its place in x and its taps inside.  */
struct spot {
    const elem *x;
    int64_t at;            /* the same, counted from the map's beginning */
    int64_t rows, columns; /* inside */
    int64_t whole;         /* with padding, as the average counts it */
};

/* Along D: the first input inside, how many taps are, and how many count
 * with padding (that beyond the padding never does).  */
static void along(const struct window *w, int d, int64_t p, int64_t *at, int64_t *n, int64_t *whole)
{
    int64_t start, lo, hi;
    const int64_t end = w->in[d] + w->pad[d + 2];

    window_taps(w, d, p, &start, &lo, &hi);
    *at = start + lo * w->dilation[d];
    *n = hi - lo;
    *whole = start + w->kernel[d] < end ? w->kernel[d] : end - start;
}

typedef void spot_fn(const struct maps *m, const struct spot *s, elem *y);

INLINE void sweep(const struct maps *m, int64_t task, spot_fn *f)
{
    const int64_t group = task / m->bands, first = task % m->bands * ROWS;
    const int64_t end = first + ROWS < m->w.out[0] ? first + ROWS : m->w.out[0];
    const elem *x = (const elem *)m->x + group * m->w.in[0] * m->w.in[1] * LANES;
    elem *y = (elem *)m->y + (group * m->w.out[0] + first) * m->w.out[1] * LANES;

    for (int64_t i = first; i < end; i++) {
        int64_t h, rows;
        struct spot s;

        along(&m->w, 0, i, &h, &s.rows, &rows);
        for (int64_t j = 0; j < m->w.out[1]; j++, y += LANES) {
            int64_t w = j * m->w.stride[1] - m->w.pad[1], columns = m->w.kernel[1];

            s.columns = columns;
            if (w < 0 || w + (columns - 1) * m->w.dilation[1] >= m->w.in[1])
                along(&m->w, 1, j, &w, &s.columns, &columns);
            s.at = (h * m->w.in[1] + w) * LANES;
            s.x = x + s.at;
            s.whole = m->count_pad ? rows * columns : s.rows * s.columns;
            f(m, &s, y);
        }
    }
}

/* The largest so far; a NaN among the numbers is told from another sum, as
 * comparing both at each number costs more.  */
#if defined(__AVX512BF16__)
/* As whole numbers of 16 bits, among which the order of those with a sign is turned:
 * the largest number is the greatest of them, or where all have a sign the least.
 * NaNs are beyond infinity: one without a sign is the greatest, of those with one the
 * greatest regardless of signs tells.  */
enum { PART = LANES };
struct most {
    __m256i greatest, least, unsigned_greatest;
};

enum { INFINITY_BF16 = 0x7f80, NAN_BF16 = 0x7fc0 };

INLINE struct most most_of_none(void)
{
    const __m256i below = _mm256_set1_epi16((short)(INFINITY_BF16 | 0x8000));

    return (struct most){below, below, below};
}

INLINE void most_add(struct most *m, const elem *x)
{
    const __m256i v = _mm256_loadu_si256((const __m256i *)x);

    m->greatest = _mm256_max_epi16(m->greatest, v);
    m->least = _mm256_min_epi16(m->least, v);
    m->unsigned_greatest = _mm256_max_epu16(m->unsigned_greatest, v);
}

INLINE void most_store(const struct most *m, elem *y)
{
    const __m256i most =
        _mm256_mask_mov_epi16(m->greatest, _mm256_movepi16_mask(m->greatest), m->least);
    const __mmask16 nan =
        _mm256_cmpgt_epu16_mask(m->unsigned_greatest, most_of_none().unsigned_greatest);

    _mm256_storeu_si256((__m256i *)y,
                        _mm256_mask_mov_epi16(most, nan, _mm256_set1_epi16(NAN_BF16)));
}
#else
/* The sum is of what is limited above, so that only a NaN makes it one.  */
enum { PART = VL };
struct most {
    vf most, sum;
};

INLINE struct most most_of_none(void)
{
    return (struct most){VF1(-INFINITY), VF0};
}

INLINE void most_add(struct most *m, const elem *x)
{
    const vf v = elem_load(x);

    m->most = vf_max(v, m->most);
    m->sum = m->sum + vf_min(VF1(1), v);
}

INLINE void most_store(const struct most *m, elem *y)
{
    elem_store(y, vf_gt(vf_number(m->sum), VF0, m->most, m->sum));
}
#endif

INLINE void largest(const struct maps *m, const struct spot *s, elem *y)
{
    const int64_t row = m->w.dilation[0] * m->w.in[1] * LANES, step = m->w.dilation[1] * LANES;

    EACH (v, LANES / PART) {
        const elem *x = s->x + v * PART;
        struct most a = most_of_none();

        if (s->rows == 3 && s->columns == 3)
            EACH (r, 3)
                EACH (q, 3)
                    most_add(&a, x + r * row + q * step);
        else
            for (int64_t r = 0; r < s->rows; r++)
                for (int64_t q = 0; q < s->columns; q++)
                    most_add(&a, x + r * row + q * step);
        most_store(&a, y + v * PART);
    }
}

INLINE void average(const struct maps *m, const struct spot *s, elem *y)
{
    const vf n = VF1((float)s->whole);
    vf a[PV];

    EACH (v, PV)
        a[v] = VF0;
    for (int64_t r = 0; r < s->rows; r++)
        for (int64_t q = 0; q < s->columns; q++) {
            const elem *x = s->x + (r * m->w.in[1] + q) * LANES;

            EACH (v, PV)
                a[v] = a[v] + elem_load(x + v * VL);
        }
    EACH (v, PV)
        elem_store(y + v * VL, a[v] / n);
}

static void max_task(void *maps, int64_t task, int thread)
{
    (void)thread;
    sweep(maps, task, largest);
}

static void average_task(void *maps, int64_t task, int thread)
{
    (void)thread;
    sweep(maps, task, average);
}

static void max_run(const struct kernel_args *a)
{
    run_windows(a, max_task, 0, NULL);
}

static void average_run(const struct kernel_args *a)
{
    run_windows(a, average_task, (int)attr_int(a->op.node, "count_include_pad"), NULL);
}

/* Nobody asks where the largest number was.  */
static int max_accepts(const struct step_nodes *s)
{
    const struct value *argmax = s->node[0]->out[1];

    return !argmax->n_use && !value_is_output(s->node[0]->graph, argmax);
}

static int argmax_accepts(const struct step_nodes *s)
{
    return !max_accepts(s);
}

/* ---- gradients: the argmax that backward reads ---- */

/* As the reference: the first of equals in row order, a NaN first of all.  */
INLINE void largest_at(const struct maps *m, const struct spot *s, elem *y)
{
    const int64_t first = s->at / LANES;
    float *to = (float *)(m->argmax + (y - (elem *)m->y)); /* places, as bits */

    EACH (v, PV) {
        vf best = elem_load(s->x + v * VL), at = vf_bits(VI1((int32_t)first));

        for (int64_t r = 0; r < s->rows; r++)
            for (int64_t q = 0; q < s->columns; q++) {
                const int64_t p = r * m->w.in[1] + q;
                const vf x = elem_load(s->x + p * LANES + v * VL);
                const vf here = vf_bits(VI1((int32_t)(first + p)));
                const vf ordered = vf_gt(x, best, here, at);

                at = vf_gt(vf_number(best), vf_number(x), here, ordered);
                best = vf_larger(best, x);
            }
        elem_store(y + v * VL, best);
        vf_store(to + v * VL, at);
    }
}

static void argmax_task(void *maps, int64_t task, int thread)
{
    (void)thread;
    sweep(maps, task, largest_at);
}

static void argmax_run(const struct kernel_args *a)
{
    run_windows(a, argmax_task, 0, a->op.out[1].data);
}

/* Sums are of float: in place where values are.  */
enum { IN_PLACE = sizeof(elem) == sizeof(float) };

static void scatter_task(void *maps, int64_t group, int thread)
{
    const struct maps *m = maps;
    const int64_t in = m->w.in[0] * m->w.in[1] * LANES, out = m->w.out[0] * m->w.out[1] * LANES;
    const elem *dy = (const elem *)m->x + group * out;
    const int32_t *at = m->argmax + group * out;
    float *dx = IN_PLACE ? (float *)m->y + group * in : m->sums + thread * in;

    memset(dx, 0, (size_t)in * sizeof *dx);
    for (int64_t i = 0; i < out; i += VL) {
        float t[VL];

        vf_store(t, elem_load(dy + i));
        for (int64_t v = 0; v < VL; v++)
            dx[at[i + v] * LANES + (i + v) % LANES] += t[v];
    }
    for (int64_t i = 0; !IN_PLACE && i < in; i += VL)
        elem_store((elem *)m->y + group * in + i, vf_load(dx + i));
}

static size_t scatter_scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    const struct shape *x = n->in[0] ? &n->in[0]->shape : &n->in_shape[0];

    return IN_PLACE ? 0 : (size_t)(threads * x->dim[2] * x->dim[3] * LANES) * sizeof(float);
}

static void max_backward(const struct kernel_args *a)
{
    const struct tensor *dx = &a->op.din[0], *dy = &a->op.dout[0];
    struct maps m = {.x = dy->data, .y = dx->data, .argmax = a->op.out[1].data};

    m.sums = a->scratch;
    m.w = window_of(a->op.node, &dx->shape, &dy->shape);
    pool_run(a->pool, layout_groups(&dx->shape), scatter_task, &m);
}

/* The gradient of one average, to all that are in it.  */
INLINE void give(const struct maps *m, const struct spot *s, elem *dy)
{
    const vf n = VF1((float)s->whole);

    EACH (v, PV) {
        const vf d = elem_load(dy + v * VL) / n;

        for (int64_t r = 0; r < s->rows; r++)
            for (int64_t q = 0; q < s->columns; q++) {
                float *to = m->sums + s->at + (r * m->w.in[1] + q) * LANES + v * VL;

                vf_store(to, vf_load(to) + d);
            }
    }
}

/* A map of x at a time, as windows share their numbers.  */
static void give_task(void *maps, int64_t group, int thread)
{
    struct maps m = *(const struct maps *)maps;
    const int64_t in = m.w.in[0] * m.w.in[1] * LANES;
    elem *dx = (elem *)m.y + group * in;

    m.sums = IN_PLACE ? (float *)dx : m.sums + thread * in;
    m.y = (void *)m.x;
    memset(m.sums, 0, (size_t)in * sizeof *m.sums);
    for (int64_t i = 0; i < m.bands; i++)
        sweep(&m, group * m.bands + i, give);
    for (int64_t i = 0; !IN_PLACE && i < in; i += VL)
        elem_store(dx + i, vf_load(m.sums + i));
}

static void average_backward(const struct kernel_args *a)
{
    const struct tensor *dx = &a->op.din[0], *dy = &a->op.dout[0];
    struct maps m = {.x = dy->data, .y = dx->data, .sums = a->scratch};

    m.w = window_of(a->op.node, &dx->shape, &dy->shape);
    m.bands = (m.w.out[0] + ROWS - 1) / ROWS;
    m.count_pad = (int)attr_int(a->op.node, "count_include_pad");
    pool_run(a->pool, layout_groups(&dx->shape), give_task, &m);
}

/* ---- the mean of a map ---- */

/* Lanes of a group that are channels go to a plain row.  */
INLINE void store_channels(const struct maps *m, int64_t group, int64_t lane, vf v)
{
    const int64_t per = (m->c + LANES - 1) / LANES, c = group % per * LANES + lane;
    float *y = (float *)m->y + group / per * m->c + c;

    if (c + VL <= m->c)
        vf_store(y, v);
    else if (c < m->c)
        vf_store_n(y, v, m->c - c);
}

/* Eight chains, so that additions do not wait for each other; joined in
 * order.  */
static void mean_task(void *maps, int64_t group, int thread)
{
    const struct maps *m = maps;
    const int64_t area = m->w.in[0] * m->w.in[1];
    const elem *x = (const elem *)m->x + group * area * LANES;

    (void)thread;
    for (int64_t v = 0; v < PV; v++) {
        vf a[8], sum = VF0;
        int64_t i = 0;

        EACH (k, 8)
            a[k] = VF0;
        for (; i + 8 <= area; i += 8)
            EACH (k, 8)
                a[k] = a[k] + elem_load(x + (i + k) * LANES + v * VL);
        for (; i < area; i++)
            a[0] = a[0] + elem_load(x + i * LANES + v * VL);
        EACH (k, 8)
            sum = sum + a[k];
        store_channels(m, group, v * VL, sum / VF1((float)area));
    }
}

static void mean_run(const struct kernel_args *a)
{
    struct maps m = maps_of(a);

    pool_run(a->pool, m.groups, mean_task, &m);
}

static void spread_task(void *maps, int64_t group, int thread)
{
    const struct maps *m = maps;
    const int64_t per = (m->c + LANES - 1) / LANES, area = m->w.in[0] * m->w.in[1];
    const int64_t first = group % per * LANES;
    const int64_t n = m->c - first < LANES ? m->c - first : LANES;
    const float *dy = (const float *)m->x + group / per * m->c + first;
    elem *dx = (elem *)m->y + group * area * LANES;
    float t[LANES] = {0};

    (void)thread;
    for (int64_t c = 0; c < n; c++)
        t[c] = dy[c] / (float)area;
    for (int64_t i = 0; i < area * LANES; i += LANES)
        EACH (v, PV)
            elem_store(dx + i + v * VL, vf_load(t + v * VL));
}

static void mean_backward(const struct kernel_args *a)
{
    const struct tensor *dx = &a->op.din[0];
    struct maps m = {.x = a->op.dout[0].data, .y = dx->data, .c = dx->shape.dim[1]};

    m.w.in[0] = dx->shape.dim[2];
    m.w.in[1] = dx->shape.dim[3];
    pool_run(a->pool, layout_groups(&dx->shape), spread_task, &m);
}

/* clang-format off */
#define RECORD(o, d, f) .name = "pool_blocked_" ISA_NAME, .op = #o, .dir = DIR_##d, \
    .isa = ISA_BITS, .dtypes = 1 << DTYPE_F32 | 1 << DTYPE_I32, .run = f
#define BLOCKED .reads = ELEM_LAYOUT, .writes = ELEM_LAYOUT

const struct kernel ISA(pool_blocked_kernels)[] = {
    {RECORD(maxpool2d, FORWARD, max_run), BLOCKED, .accepts = max_accepts},
    {RECORD(maxpool2d, FORWARD, argmax_run), BLOCKED, .accepts = argmax_accepts},
    {RECORD(maxpool2d, BACKWARD, max_backward), BLOCKED, .scratch = scatter_scratch},
    {RECORD(avgpool2d, FORWARD, average_run), BLOCKED},
    {RECORD(avgpool2d, BACKWARD, average_backward), BLOCKED, .scratch = scatter_scratch},
    {RECORD(globalavgpool, FORWARD, mean_run), .reads = ELEM_LAYOUT},
    {RECORD(globalavgpool, BACKWARD, mean_backward), .writes = ELEM_LAYOUT, .pulls = 1},
    {0},
};
/* clang-format on */
