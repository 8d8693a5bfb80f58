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
#include "cpu/follow.h"
#include "cpu/kernels.h"
#include "cpu/vec8.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

enum { X, WEIGHT, BIAS };
enum { PV = LANES / VL, TILE = 8, ROWS = 8 };

struct dw {
    struct window w;
    int64_t n, c, groups; /* of 16 channels */
    int64_t bands;
    int64_t slots;     /* that the taps of a row touch */
    int64_t row, rows; /* slots of a row of the copy, its rows */
    int64_t step;      /* weights of a tap row */
    size_t copy;       /* slots */
    const uint8_t *x;
    const int32_t *weight;
    void *y;
    int32_t *scratch;
    uint8_t zero;
    struct outputs8 out;
    struct layer_follow f;
    struct follow_act curve;
    struct levels levels;
};

static struct dw dw_of(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape x = shape_bind(n->in[X]->shape, s->batch);
    const struct shape y = shape_bind(n->out[0]->shape, s->batch);
    struct dw d = {.w = window_of(n, &x, &y), .n = x.dim[0], .c = x.dim[1]};
    const int64_t reach[] = {(d.w.kernel[0] - 1) * d.w.dilation[0],
                             (d.w.kernel[1] - 1) * d.w.dilation[1]};
    const int64_t columns = (d.w.out[1] + TILE - 1) / TILE * TILE;

    d.groups = (d.c + LANES - 1) / LANES;
    d.bands = (d.w.out[0] + ROWS - 1) / ROWS;
    d.slots = (PER - 1 + reach[1]) / PER + 1;
    d.step = PER * d.slots * LANES;
    d.row = (((columns - 1) * d.w.stride[1] + reach[1]) / PER + 1) * LANES;
    d.rows = (ROWS - 1) * d.w.stride[0] + reach[0] + 1;
    d.copy = (size_t)(d.rows * d.row);
    return d;
}

static int accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const int64_t c = n->in[X]->shape.dim[1];
    struct layer_follow f;

    return attr_int(n, "groups") == c && c > 1 && n->out[0]->shape.dim[1] == c &&
           shape_count(&n->in[WEIGHT]->shape) / c <= QUANT8_MOST_K &&
           quant8_layer(n, X, WEIGHT, BIAS) && quant8_layer_requant(s, &f) == 0 && !f.add;
}

/* ---- copying rows ---- */

/* PER pixels of 16 channels.  */
#if PER == 4 && defined(__AVX512F__)
INLINE void turn_some(int32_t *to, vi x)
{
    const vi lanes = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    const vi bytes =
        _mm512_broadcast_i32x4(_mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0));

    vi_store(to, _mm512_shuffle_epi8(_mm512_permutexvar_epi32(lanes, x), bytes));
}
#endif

INLINE void turn(int32_t *to, const uint8_t *x)
{
#if PER == 4 && defined(__AVX512F__)
    turn_some(to, vi_load(x));
#elif PER == 4
    __m128i p[PER], t[PER];

    EACH (i, PER)
        p[i] = _mm_loadu_si128((const __m128i *)(x + i * LANES));
    bytes_of_4(t, p);
    EACH (i, PER)
        _mm_storeu_si128((__m128i *)to + i, t[i]);
#elif defined(__AVX2__)
    const __m128i a = _mm_loadu_si128((const __m128i *)x);
    const __m128i b = _mm_loadu_si128((const __m128i *)(x + LANES));

    _mm256_storeu_si256((__m256i *)to, _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)));
    _mm256_storeu_si256((__m256i *)(to + 8), _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b)));
#else
    for (int i = 0; i < LANES; i++)
        to[i] = x[i] | x[LANES + i] << 16;
#endif
}

/* PER pixels from W on, of which some lie outside the row X.  */
static void turn_edge(const struct dw *d, const uint8_t *x, int64_t w, int32_t *to)
{
#if PER == 4 && defined(__AVX512F__)
    const int64_t before = w < -PER ? PER : w < 0 ? -w : 0, left = d->w.in[1] - w;
    const int64_t end = left < 0 ? 0 : left < PER ? left : PER;
    const uint64_t behind = end < PER ? ~0ull << end * LANES : 0;
    const uint64_t inside = before < PER ? ~0ull << before * LANES & ~behind : 0;

    turn_some(to, _mm512_mask_loadu_epi8(_mm512_set1_epi8((char)d->zero), inside, x + w * LANES));
#else
    uint8_t t[PER * LANES];

    memset(t, d->zero, sizeof t);
    for (int i = 0; i < PER; i++)
        if (w + i >= 0 && w + i < d->w.in[1])
            memcpy(t + i * LANES, x + (w + i) * LANES, LANES);
    turn(to, t);
#endif
}

static void copy_row(const struct dw *d, const uint8_t *x, int64_t h, int32_t *to)
{
    const int inside = h >= 0 && h < d->w.in[0];
    int64_t w = -d->w.pad[1];

    x += inside ? h * d->w.in[1] * LANES : 0;
    for (int64_t i = 0; i < d->row; i += LANES, w += PER)
        if (inside && w >= 0 && w + PER <= d->w.in[1])
            turn(to + i, x + w * LANES);
        else
            turn_edge(d, x, inside ? w : d->w.in[1], to + i);
}

/* ---- outputs ---- */

/* A tile of outputs: its slots in the first row of taps, its weights.  */
struct spot {
    const int32_t *x, *w;
    int64_t lane, at, n; /* the first number of y; outputs */
};

/* Floats, or behind an activation that is no limit.  */
static void store_rest(const struct dw *d, const struct spot *s, int v, const vi *a)
{
    const struct requant *q = &d->f.q;
    const int64_t lane = s->lane + v * VL;

    for (int64_t i = 0; i < s->n; i++) {
        const int64_t at = s->at + i * LANES + v * VL;
        vf f = vf_fma(vf_of(a[i]), vf_load(d->out.scale + lane), vf_load(d->out.shift + lane));

        f = vf_act((enum act)d->curve.act, f, VF1(d->curve.lo), VF1(d->curve.hi));
        if (q->to_u8)
            vf_store_u8((uint8_t *)d->y + at, vf_level(&d->levels, f / VF1(q->step)));
        else
            vf_store((float *)d->y + at, vf_min(VF1(q->hi), vf_max(VF1(q->lo), f)));
    }
}

#if defined(__AVX2__)
/* N pixels, PV * VL bytes each, of which these are VL.  */
INLINE void put_levels(uint8_t *y, const struct levels *levels, const vi *u, int n)
{
#    if defined(__AVX512F__)
    vi_store_levels(y, levels, u, n);
#    else
    vi_spread_levels(y, LANES, levels, u, n);
#    endif
}
#endif

INLINE void store(const struct dw *d, const struct spot *s, int v, const vi *a)
{
    const struct levels levels = d->levels;
    const vf scale = vf_load(d->out.scale + s->lane + v * VL);
    const vf shift = vf_load(d->out.shift + s->lane + v * VL);
    uint8_t *y = (uint8_t *)d->y + s->at + v * VL;

    if (!d->f.q.to_u8 || d->f.q.curve) {
        store_rest(d, s, v, a);
        return;
    }
#if defined(__AVX2__)
    EACH (k, TILE / PACK) {
        const int left = (int)s->n - PACK * k;
        vi u[PACK];

        if (left <= 0)
            break;
        EACH (i, PACK)
            u[i] = vi_level(&levels, vf_fma(vf_of(a[PACK * k + i]), scale, shift));
        put_levels(y + PACK * k * LANES, &levels, u, left < PACK ? left : PACK);
    }
#else
    EACH (i, TILE)
        if (i < s->n)
            vf_store_u8(y + i * LANES, vf_level(&levels, vf_fma(vf_of(a[i]), scale, shift)));
#endif
}

INLINE void tile(const int taps, const int step, const struct dw *d, const struct spot *s)
{
    const int slots = (PER - 1 + taps - 1) / PER + 1, many = ((TILE - 1) * step + taps - 1) / PER;

    EACH (v, PV) {
        const vi base = vi_load(d->out.base + s->lane + v * VL);
        const int32_t *x = s->x + v * VL, *w = s->w + v * VL;
        vi a[TILE], b[TILE + 4];

        EACH (j, TILE)
            a[j] = base;
        for (int64_t r = 0; r < d->w.kernel[0]; r++, x += d->w.dilation[0] * d->row, w += d->step) {
            EACH (k, many + 1)
                b[k] = vi_load(x + k * LANES);
            EACH (j, TILE)
                EACH (t, slots)
                    if (j * step % PER + taps - 1 >= PER * t)
                        a[j] = vi_dot(a[j], b[j * step / PER + t],
                                      vi_load(w + (j * step % PER * slots + t) * LANES));
        }
        store(d, s, v, a);
    }
}

/* Any window.  */
static void tile_any(const struct dw *d, const struct spot *s)
{
    for (int v = 0; v < PV; v++) {
        vi a[TILE];

        for (int j = 0; j < TILE; j++) {
            const int64_t p = j * d->w.stride[1];
            const int32_t *x = s->x + p / PER * LANES + v * VL;
            const int32_t *w = s->w + p % PER * d->slots * LANES + v * VL;

            a[j] = vi_load(d->out.base + s->lane + v * VL);
            for (int64_t r = 0; r < d->w.kernel[0]; r++)
                for (int64_t t = 0; j < s->n && t < d->slots; t++)
                    a[j] = vi_dot(a[j], vi_load(x + r * d->w.dilation[0] * d->row + t * LANES),
                                  vi_load(w + r * d->step + t * LANES));
        }
        store(d, s, v, a);
    }
}

#define LINE(taps, step)                                                       \
    static void tile_##taps##_##step(const struct dw *d, const struct spot *s) \
    {                                                                          \
        tile(taps, step, d, s);                                                \
    }

LINE(3, 1)
LINE(3, 2)
LINE(5, 1)
LINE(5, 2)
LINE(7, 1)
LINE(7, 2)

typedef void tile_fn(const struct dw *d, const struct spot *s);

static tile_fn *tile_of(const struct dw *d)
{
    static tile_fn *const known[][2] = {
        [3] = {tile_3_1, tile_3_2}, [5] = {tile_5_1, tile_5_2}, [7] = {tile_7_1, tile_7_2}};
    const int64_t taps = d->w.kernel[1], step = d->w.stride[1];
    const int listed = taps < (int64_t)COUNT(known) && step <= 2 && d->w.dilation[1] == 1;

    return listed && known[taps][step - 1] ? known[taps][step - 1] : tile_any;
}

static void task(void *dw, int64_t task, int thread)
{
    const struct dw *d = dw;
    const int64_t plane = task / d->bands, group = plane % d->groups;
    const int64_t first = task % d->bands * ROWS;
    const int64_t end = first + ROWS < d->w.out[0] ? first + ROWS : d->w.out[0];
    const int64_t rows = d->rows - (first + ROWS - end) * d->w.stride[0];
    const uint8_t *x = d->x + plane * d->w.in[0] * d->w.in[1] * LANES;
    int32_t *copy = d->scratch + (size_t)thread * d->copy;
    struct spot s = {.w = d->weight + group * d->w.kernel[0] * d->step, .lane = group * LANES};
    tile_fn *f = tile_of(d);

    for (int64_t i = 0; i < rows; i++)
        copy_row(d, x, first * d->w.stride[0] - d->w.pad[0] + i, copy + i * d->row);
    for (int64_t i = first; i < end; i++)
        for (int64_t j = 0; j < d->w.out[1]; j += TILE) {
            s.x = copy + (i - first) * d->w.stride[0] * d->row + j * d->w.stride[1] / PER * LANES;
            s.at = ((plane * d->w.out[0] + i) * d->w.out[1] + j) * LANES;
            s.n = d->w.out[1] - j < TILE ? d->w.out[1] - j : TILE;
            f(d, &s);
        }
}

/* ---- the record ---- */

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct dw d = dw_of(s);

    return ((size_t)(3 * d.groups * LANES) + d.copy * (size_t)threads) * sizeof(int32_t);
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
    const int64_t lanes = d.groups * LANES;
    struct grid8 x = {0};

    grid8_operand(a->op.node, X, &x);
    quant8_layer_requant(a->step, &d.f);
    d.curve = follow_act_of(d.f.q.curve);
    d.levels = (struct levels){d.f.q.lo, d.f.q.hi, d.f.q.zero};
    d.zero = (uint8_t)x.zero;
    d.x = a->op.in[X].data;
    d.y = a->op.out[0].data;
    d.weight = a->packed[WEIGHT];
    d.out = quant8_outputs(a, &d.f.q, d.c, lanes, d.weight + d.groups * d.w.kernel[0] * d.step,
                           a->scratch);
    d.scratch = (int32_t *)a->scratch + 3 * lanes;
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
