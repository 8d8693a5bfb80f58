/* dwconv2d_blocked_8_body.h -- depthwise convolution of blocked u8 values
 * with i8 weights; compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * A slot of 32 bits holds PER neighbouring pixels of a channel (vec8.h), as
 * they are needed for one product with as many taps.  A task copies its rows
 * so, with their padding, slots [column / PER][16].  An output that begins F
 * pixels behind a slot takes the weights that are shifted by F, packed as
 * [C/16][tap row][F][slot][16][PER], zeros where there is no tap.  */
#include "base/mem.h"
#include "base/thread.h"
#include "cpu/kernels.h"
#include "cpu/round.h"
#include "cpu/vec8.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

enum { X, WEIGHT, BIAS };
enum { PV = LANES / VL, TILE = 8, MR = TILE }; /* outputs at once */
enum { ROWS = 8, COPY = 6144 }; /* rows of y that a copy is for; slots that it is to have */

#include "cpu/store_8.inc"

struct dw {
    struct window w;
    int64_t n, c, groups; /* of 16 channels */
    int64_t bands;        /* of rows of y */
    int64_t slots;        /* that the taps of a row touch */
    int64_t row;          /* slots of a row of the copy */
    int64_t step;         /* weights of a tap row */
    size_t copy;          /* slots */
    const uint8_t *x;
    const int32_t *weight;
    int32_t *scratch;
    uint8_t outside[LANES]; /* a pixel that is */
    struct store8 to;
};

/* Rows of x that ROWS rows of y read.  */
static int64_t rows_read(const struct window *w, int64_t rows)
{
    return (rows - 1) * w->stride[0] + (w->kernel[0] - 1) * w->dilation[0] + 1;
}

static struct dw dw_of(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape x = shape_bind(n->in[X]->shape, s->batch);
    const struct shape y = shape_bind(n->out[0]->shape, s->batch);
    struct dw d = {.w = window_of(n, &x, &y), .n = x.dim[0], .c = x.dim[1]};
    const int64_t reach = (d.w.kernel[1] - 1) * d.w.dilation[1];
    const int64_t columns = round_up(d.w.out[1], TILE);

    d.groups = up(d.c, LANES);
    d.slots = (PER - 1 + reach) / PER + 1;
    d.step = PER * d.slots * LANES;
    d.row = (((columns - 1) * d.w.stride[1] + reach) / PER + 1) * LANES;
    return d;
}

/* Bands whose copy stays in the first cache, and enough of them for the threads. */
static void cut(struct dw *d, int threads)
{
    const int64_t rows = (COPY / d->row - rows_read(&d->w, 1)) / d->w.stride[0] + 1;
    const int64_t wanted = up(2 * threads, d->n * d->groups);

    d->bands = up(d->w.out[0], most(rows, ROWS));
    d->bands = most(d->bands, least(wanted, up(d->w.out[0], ROWS)));
    d->copy = (size_t)(rows_read(&d->w, up(d->w.out[0], d->bands)) * d->row);
}

static int accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const int64_t c = n->in[X]->shape.dim[1];
    struct layer_follow f;

    return attr_int(n, "groups") == c && c > 1 && n->out[0]->shape.dim[1] == c &&
           shape_count(&n->in[WEIGHT]->shape) / c <= QUANT8_MOST_K &&
           quant8_layer(n, X, WEIGHT, BIAS) && quant8_layer_requant(s, &f) == 0;
}

/* ---- copying rows ---- */

/* PER pixels of 16 channels.  */
#if PER == 4 && defined(__AVX512F__)
INLINE void turn(int32_t *to, const uint8_t *const p[PER])
{
    const vi lanes = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    const vi bytes =
        _mm512_broadcast_i32x4(_mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0));
    vi x = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)p[0]));

    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)p[1]), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)p[2]), 2);
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)p[3]), 3);
    vi_store(to, _mm512_shuffle_epi8(_mm512_permutexvar_epi32(lanes, x), bytes));
}
#elif PER == 4
INLINE void turn(int32_t *to, const uint8_t *const p[PER])
{
    __m128i x[PER], t[PER];

    EACH (i, PER)
        x[i] = _mm_loadu_si128((const __m128i *)p[i]);
    bytes_of_4(t, x);
    EACH (i, PER)
        _mm_storeu_si128((__m128i *)to + i, t[i]);
}
#elif defined(__AVX2__)
INLINE void turn(int32_t *to, const uint8_t *const p[PER])
{
    const __m128i a = _mm_loadu_si128((const __m128i *)p[0]);
    const __m128i b = _mm_loadu_si128((const __m128i *)p[1]);

    _mm256_storeu_si256((__m256i *)to, _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)));
    _mm256_storeu_si256((__m256i *)(to + 8), _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b)));
}
#else
INLINE void turn(int32_t *to, const uint8_t *const p[PER])
{
    for (int i = 0; i < LANES; i++)
        to[i] = p[0][i] | p[1][i] << 16;
}
#endif

/* The slot of column W of the row X and those behind it; at an EDGE some of them are
 * outside.  */
INLINE void turn_at(const int edge, const struct dw *d, const uint8_t *x, int64_t w, int32_t *to)
{
    const uint8_t *p[PER];

    EACH (i, PER)
        p[i] = edge && (w + i < 0 || w + i >= d->w.in[1]) ? d->outside : x + (w + i) * LANES;
    turn(to, p);
}

/* Row H of the plane X.  */
static void copy_row(const struct dw *d, const uint8_t *x, int64_t h, int32_t *to)
{
    const int inside = h >= 0 && h < d->w.in[0];
    const int64_t width = inside ? d->w.in[1] : 0, pad = d->w.pad[1];
    int32_t *const end = to + d->row;
    int64_t w = -pad;

    x += inside ? h * width * LANES : 0;
    for (; to < end && w < 0; to += LANES, w += PER)
        turn_at(1, d, x, inside ? w : d->w.in[1], to);
    for (; to < end && w + PER <= width; to += LANES, w += PER)
        turn_at(0, d, x, w, to);
    for (; to < end; to += LANES, w += PER)
        turn_at(1, d, x, inside ? w : d->w.in[1], to);
}

/* ---- outputs ---- */

/* Rows [FIRST, END) of a plane of y, whose first number is at AT; their copy.  */
struct band {
    const int32_t *x;
    int64_t first, end, at;
};

/* What the tiles of a row have in common, copied: any byte that is stored could be
 * one of these to the compiler.  */
struct line {
    const int32_t *x, *w;    /* the first row of taps, its weights */
    int64_t taps, row, step; /* rows of taps; from one to the next */
    int64_t lane, at;        /* of output 0 */
    int simple;              /* store8_is_simple() */
    struct levels levels;
    struct outputs8 out;
    uint8_t *y;
};

INLINE struct line line_of(const struct dw *d, int64_t group)
{
    struct line l = {.row = d->w.dilation[0] * d->row, .step = d->step, .taps = d->w.kernel[0]};

    l.lane = group * LANES;
    l.w = d->weight + group * d->w.kernel[0] * d->step;
    l.simple = store8_is_simple(&d->to);
    l.levels = d->to.levels;
    l.out = d->to.out;
    l.y = d->to.y;
    return l;
}

/* Vector V of N outputs as bytes, 16 apart.  */
INLINE void store(const int n, const struct line *l, int64_t v, const vi *a, uint8_t *y)
{
    const vf scale = vf_load(l->out.scale + l->lane + v),
             shift = vf_load(l->out.shift + l->lane + v);
#if defined(__AVX2__)
    EACH (k, (n + PACK - 1) / PACK) {
        const int left = n - PACK * k < PACK ? n - PACK * k : PACK;
        vi u[PACK] = {VI1(0), VI1(0), VI1(0), VI1(0)};

        EACH (i, left)
            u[i] = vi_level(&l->levels, vf_fma(vf_of(a[PACK * k + i]), scale, shift));
        vi_spread_levels(y + v + PACK * k * LANES, &l->levels, u, left);
    }
#else
    EACH (i, n)
        vf_store_u8(y + v + i * LANES, vf_level(&l->levels, vf_fma(vf_of(a[i]), scale, shift)));
#endif
}

/* A row of taps over N outputs, the first of them at slot X.  */
INLINE void taps_row(const int n, const int taps, const int step, const int32_t *x,
                     const int32_t *w, vi *a)
{
    const int slots = (PER - 1 + taps - 1) / PER + 1, many = ((n - 1) * step + taps - 1) / PER + 1;
    vi b[PER][4];

    EACH (f, PER)
        EACH (t, slots)
            b[f][t] = vi_load(w + (f * slots + t) * LANES);
    EACH (k, many) {
        const vi v = vi_load(x + k * LANES);

        EACH (j, n) {
            const int t = k - j * step / PER, f = j * step % PER;

            if (t >= 0 && t < slots && f + taps > PER * t)
                a[j] = vi_mac(v, b[f][t], a[j]);
        }
    }
}

/* N outputs from J on, to Y if they are bytes and limits all that is done to them,
 * else the sums [N][16].  */
INLINE void tile(const int n, const int taps, const int step, const struct line *l, int64_t j,
                 uint8_t *y, int32_t *sums)
{
    for (int64_t v = 0; v < LANES; v += VL) {
        const int32_t *x = l->x + j * step / PER * LANES + v, *w = l->w + v;
        vi a[TILE];

        EACH (i, n)
            a[i] = vi_load(l->out.base + l->lane + v);
        for (int64_t r = 0; r < l->taps; r++, x += l->row, w += l->step)
            taps_row(n, taps, step, x, w, a);
        if (l->simple)
            store(n, l, v, a, y);
        else
            EACH (i, n)
                vi_store(sums + i * LANES + v, a[i]);
    }
}

/* LEFT of N outputs from J on.  */
INLINE void outputs(const int n, const int taps, const int step, const struct dw *d,
                    const struct line *l, int64_t j, int64_t left)
{
    const int64_t at = l->at + j * LANES;
    uint8_t rest[TILE * LANES];
    int32_t sums[TILE * LANES];

    tile(n, taps, step, l, j, left == n ? l->y + at : rest, sums);
    if (!l->simple)
        store_rest(&d->to, l->lane, sums, (int)left, at);
    else if (left < n)
        memcpy(l->y + at, rest, (size_t)(left * LANES));
}

INLINE void row_of(const int taps, const int step, const struct dw *d, const struct line *l)
{
    const int64_t out = d->w.out[1];
    int64_t j = 0;

    for (; j + TILE <= out; j += TILE)
        outputs(TILE, taps, step, d, l, j, TILE);
    if (out - j == 7)
        outputs(7, taps, step, d, l, j, 7);
    else if (out - j > 4)
        outputs(6, taps, step, d, l, j, out - j);
    else if (j < out)
        outputs(4, taps, step, d, l, j, out - j);
}

/* Any window.  */
static void row_of_any(const struct dw *d, const struct line *l)
{
    int32_t sums[TILE * LANES];

    for (int64_t j = 0, n; j < d->w.out[1]; j += n) {
        n = least(TILE, d->w.out[1] - j);
        for (int64_t i = 0; i < n * LANES; i += VL) {
            const int64_t p = (j + i / LANES) * d->w.stride[1], v = i % LANES;
            const int32_t *x = l->x + p / PER * LANES + v;
            const int32_t *w = l->w + p % PER * d->slots * LANES + v;
            vi a = vi_load(l->out.base + l->lane + v);

            for (int64_t r = 0; r < l->taps; r++, x += l->row, w += l->step)
                for (int64_t t = 0; t < d->slots; t++)
                    a = vi_dot(a, vi_load(x + t * LANES), vi_load(w + t * LANES));
            vi_store(sums + i, a);
        }
        store_rest(&d->to, l->lane, sums, (int)n, l->at + j * LANES);
    }
}

INLINE void rows(const int taps, const int step, const struct dw *d, int64_t group,
                 const struct band *b)
{
    struct line l = line_of(d, group);

    for (int64_t i = b->first; i < b->end; i++) {
        l.x = b->x + (i - b->first) * d->w.stride[0] * d->row;
        l.at = b->at + i * d->w.out[1] * LANES;
        if (taps)
            row_of(taps, step, d, &l);
        else
            row_of_any(d, &l);
    }
}

#define ROWS_OF(taps, step)                                                                   \
    static void rows_##taps##_##step(const struct dw *d, int64_t group, const struct band *b) \
    {                                                                                         \
        rows(taps, step, d, group, b);                                                        \
    }

ROWS_OF(0, 0)
ROWS_OF(3, 1)
ROWS_OF(3, 2)
ROWS_OF(5, 1)
ROWS_OF(5, 2)
ROWS_OF(7, 1)
ROWS_OF(7, 2)

typedef void rows_fn(const struct dw *d, int64_t group, const struct band *b);

static rows_fn *rows_of(const struct dw *d)
{
    static rows_fn *const known[][2] = {
        [3] = {rows_3_1, rows_3_2}, [5] = {rows_5_1, rows_5_2}, [7] = {rows_7_1, rows_7_2}};
    const int64_t taps = d->w.kernel[1], step = d->w.stride[1];
    const int listed = taps < (int64_t)COUNT(known) && step <= 2 && d->w.dilation[1] == 1;

    return listed && known[taps][step - 1] ? known[taps][step - 1] : rows_0_0;
}

/* Bands run slower than groups: a thread has the rows that it wrote.  */
static void task(void *dw, int64_t task, int thread)
{
    const struct dw *d = dw;
    const int64_t image = task / d->groups / d->bands, index = task / d->groups % d->bands;
    const int64_t plane = image * d->groups + task % d->groups;
    const uint8_t *x = d->x + plane * d->w.in[0] * d->w.in[1] * LANES;
    int32_t *copy = d->scratch + (size_t)thread * d->copy;
    struct band b = {.x = copy, .at = plane * d->w.out[0] * d->w.out[1] * LANES};
    int64_t h;

    b.first = piece(d->w.out[0], d->bands, index);
    b.end = piece(d->w.out[0], d->bands, index + 1);
    h = b.first * d->w.stride[0] - d->w.pad[0];
    for (int64_t i = 0; i < rows_read(&d->w, b.end - b.first); i++)
        copy_row(d, x, h + i, copy + i * d->row);
    rows_of(d)(d, plane % d->groups, &b);
}

/* ---- the record ---- */

static size_t scratch(const struct step_nodes *s, int threads)
{
    struct dw d = dw_of(s);

    cut(&d, threads);
    return ((size_t)store8_table(d.c) + d.copy * (size_t)threads) * sizeof(int32_t);
}

static size_t pack_bytes(const struct step_nodes *s, int i)
{
    const struct dw d = dw_of(s);

    return i == WEIGHT ? (size_t)(d.groups * (d.w.kernel[0] * d.step + LANES)) * sizeof(int32_t)
                       : 0;
}

/* The weights of 16 channels from C on at tap row R.  */
static void pack_row(const struct dw *d, const int8_t *w, int64_t c, int64_t r, int32_t *to)
{
    const int64_t taps = d->w.kernel[1];

    for (int64_t f = 0; f < PER; f++)
        for (int64_t s = 0; s < taps; s++)
            for (int64_t i = 0; i < LANES && c + i < d->c; i++) {
                const int64_t p = f + s * d->w.dilation[1];
                const int64_t v = w[((c + i) * d->w.kernel[0] + r) * taps + s];

                to[(f * d->slots + p / PER) * LANES + i] |=
                    (int32_t)((uint32_t)(v & (PER == 4 ? 0xff : 0xffff)) << 32 / PER * (p % PER));
            }
}

static void pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    const struct dw d = dw_of(s);
    const int64_t taps = d.w.kernel[0] * d.w.kernel[1];
    const int8_t *w = t->data;
    int32_t *to = packed, *sums = to + d.groups * d.w.kernel[0] * d.step;

    memset(packed, 0, pack_bytes(s, i));
    for (int64_t g = 0; g < d.groups; g++)
        for (int64_t r = 0; r < d.w.kernel[0]; r++, to += d.step)
            pack_row(&d, w, g * LANES, r, to);
    for (int64_t k = 0; k < d.c * taps; k++)
        sums[k / taps] += w[k];
}

static void run(const struct kernel_args *a)
{
    struct dw d = dw_of(a->step);
    struct grid8 x = {0};

    cut(&d, pool_threads(a->pool));
    grid8_operand(a->op.node, X, &x);
    memset(d.outside, x.zero, sizeof d.outside);
    d.x = a->op.in[X].data;
    d.weight = a->packed[WEIGHT];
    d.to = store8_of(a, d.c, d.weight + d.groups * d.w.kernel[0] * d.step, a->scratch);
    d.scratch = (int32_t *)a->scratch + store8_table(d.c);
    pool_run(a->pool, d.n * d.groups * d.bands, task, &d);
}

const struct kernel ISA(dwconv2d_blocked_8_kernels)[] = {
    {.name = "dwconv2d_blocked_8_" ISA_NAME,
     .op = "conv2d",
     .dir = DIR_FORWARD,
     .isa = ISA_BITS,
     .dtypes = 1 << DTYPE_U8 | 1 << DTYPE_I8 | 1 << DTYPE_I32 | 1 << DTYPE_F32,
     .reads = LAYOUT_C16,
     .writes = LAYOUT_C16,
     .pulls = 1,
     .quantised = 1,
     .epilogue = quant8_layer_follow,
     .accepts = accepts,
     .scratch = scratch,
     .pack_bytes = pack_bytes,
     .pack = pack,
     .run = run},
    {0},
};
