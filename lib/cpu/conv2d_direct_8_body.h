/* conv2d_direct_8_body.h -- see conv2d_direct_8.h; compiled once per
 * instruction set, and for weights of 7 bits.
 * SPDX-License-Identifier: MIT  */
#include "cpu/vec8.h"

#include "cpu/conv2d_direct_8.h"
#include "cpu/directcopy.h"
#include "cpu/kernels.h"
#include "cpu/outer.h"

typedef uint8_t elem;
typedef int32_t slot;
typedef vi vacc;
enum { WEIGHT = 1 };
enum { PIXEL = LANES / PER };
#if PER == 4
typedef uint8_t number; /* of a slot */
#else
typedef int16_t number;
#endif
#define product outer_8
OUTER(outer_8, slot, vi, vi_load, slot_all, vi_mac)

INLINE const struct direct8_run *run_8(const struct direct_run *r)
{
    return (const struct direct8_run *)r;
}

#define start(r, t, v) vi_load(run_8(r)->to.out.base + (t)->panel * LANES + (v)*VL)

/* ---- reading ---- */

static void copy_line(const void *x, int64_t at, int64_t group, int64_t n, int64_t step,
                      uint32_t *to)
{
    const uint8_t *from = (const uint8_t *)x + at;

    (void)group;
    for (int64_t i = 0; i < n; i++)
        slots_of_16((slot *)to + i * PIXEL, from + i * step * LANES);
}

#if defined(__AVX2__)
enum { JOINED = 16 };

/* Bytes of four pixels of four channels to such of C.  */
static __m128i fewer_channels(int64_t c)
{
    uint8_t from[JOINED];

    EACH (i, JOINED)
        from[i] = (uint8_t)(i / c * 4 + i % c); /* behind 4 C of them: whatever */
    return _mm_loadu_si128((const __m128i *)from);
}

/* Whole vectors of pixels, 16 at once, to Y, which has room for MOST numbers: how many
 * pixels.  */
static int64_t join_many(const struct direct *d, const uint8_t *x, number *y, int64_t most)
{
    const int64_t area = d->in[0] * d->in[1], c = d->c, each = JOINED / 4 * c;
    const __m128i fewer = fewer_channels(c);
    int64_t w = 0;

    for (; w + JOINED <= d->in[1] && 3 * each + JOINED <= most; w += JOINED, most -= 4 * each) {
        __m128i in[DIRECT_PLAIN], t[JOINED / 4];

        EACH (i, DIRECT_PLAIN)
            in[i] = i < d->c ? _mm_loadu_si128((const __m128i *)(x + i * area + w))
                             : _mm_setzero_si128();
        bytes_of_4(t, in);
        for (int i = 0; i < JOINED / 4; i++, y += each) {
            const __m128i pixels = _mm_shuffle_epi8(t[i], fewer);
#    if PER == 4
            _mm_storeu_si128((__m128i *)y, pixels);
#    else
            _mm256_storeu_si256((__m256i *)y, _mm256_cvtepu8_epi16(pixels));
#    endif
        }
    }
    return w;
}
#else
static int64_t join_many(const struct direct *d, const uint8_t *x, number *y, int64_t most)
{
    (void)d, (void)x, (void)y, (void)most;
    return 0;
}
#endif

/* The channels of a pixel side by side; what lies outside x is its zero point.  */
static void copy_plain(const void *ctx, const struct direct *d, int64_t at, uint32_t *to)
{
    const struct direct8_run *r = ctx;
    const uint8_t *x = (const uint8_t *)r->r.x + at;
    const int64_t area = d->in[0] * d->in[1], n = d->row * d->per;
    number *const y = (number *)to, outside = (number)r->outside;
    int64_t j = 0, w;

    for (; j < d->pad[1] * d->c && j < n; j++)
        y[j] = outside;
    w = join_many(d, x, y + j, n - j);
    j += w * d->c;
    for (; w < d->in[1] && j < n; w++)
        for (int64_t c = 0; c < d->c && j < n; c++, j++)
            y[j] = x[c * area + w];
    for (; j < n; j++)
        y[j] = outside;
}

INLINE void copy_of(const struct direct_run *r, struct direct_copy *c)
{
    c->line = copy_line;
    c->plain = copy_plain;
    c->ctx = r->d->planar ? (const void *)r : r->x;
    c->pad = (uint32_t)run_8(r)->outside;
}

/* ---- storing ---- */

#include "cpu/store_8.inc"

struct finish {
    const struct store8 *to;
    int64_t area;
};

INLINE struct finish finish_of(const struct direct_run *r)
{
    return (struct finish){&run_8(r)->to, r->d->out[0] * r->d->out[1] * LANES};
}

INLINE int store_is_simple(const struct direct_run *r)
{
    return store8_is_simple(&run_8(r)->to);
}

INLINE void store_simple(const int m, const int panels, const struct finish *f,
                         const struct direct_tile *t, vi (*a)[MR])
{
    EACH (p, panels)
        store_levels(m, f->to, (t->panel + p) * LANES, a + p * PV,
                     (uint8_t *)f->to->y + t->at + p * f->area);
}

INLINE void store(const int m, const int panels, const struct direct_run *run,
                  const struct finish *f, const struct direct_tile *t, vi (*a)[MR])
{
    const int64_t area = f->area, lane = t->panel * LANES;

    (void)run;
    EACH (p, panels) {
        int32_t sums[MR * LANES];

        EACH (v, PV)
            EACH (i, m)
                vi_store(sums + i * LANES + v * VL, a[p * PV + v][i]);
        store_rest(f->to, lane + p * LANES, sums, m, t->at + p * area);
    }
}

INLINE void ahead_tile(const int m, const int panels, const int simple, const struct direct_run *r,
                       const struct finish *f, const struct direct_tile *t)
{
    (void)m, (void)panels, (void)simple, (void)r, (void)f, (void)t;
}

#include "cpu/direct.inc"

/* ---- records ---- */

static const struct direct_isa isa = {.mr = MR,
                                      .panels = PANELS,
                                      .form = {PER, PER == 4, sizeof(elem)},
                                      .copy = copy_shared,
                                      .task = task};

/* What conv2d_direct_8.c accepts, if the weights have no more bits than asked for.  */
static int accepts_blocked(const struct step_nodes *s)
{
    return conv2d_direct_8_accepts(s) && has_bits(s->node[0], WEIGHT);
}

static int accepts_plain(const struct step_nodes *s)
{
    return conv2d_direct_8_accepts_plain(s) && has_bits(s->node[0], WEIGHT);
}

#define RECORD(name, planar)                                                                     \
    static size_t scratch_##name(const struct step_nodes *s, int threads)                        \
    {                                                                                            \
        return conv2d_direct_8_scratch(&isa, planar, s, threads);                                \
    }                                                                                            \
    static size_t pack_bytes_##name(const struct step_nodes *s, int i)                           \
    {                                                                                            \
        return conv2d_direct_8_pack_bytes(&isa, planar, s, i);                                   \
    }                                                                                            \
    static void pack_##name(const struct step_nodes *s, int i, const struct tensor *t, void *to) \
    {                                                                                            \
        (void)i;                                                                                 \
        conv2d_direct_8_pack(&isa, planar, s, t, to);                                            \
    }                                                                                            \
    static void run_##name(const struct kernel_args *a)                                          \
    {                                                                                            \
        conv2d_direct_8_run(&isa, planar, a);                                                    \
    }                                                                                            \
    static void together_##name(const void *siblings)                                            \
    {                                                                                            \
        conv2d_direct_8_together(&isa, planar, siblings);                                        \
    }                                                                                            \
    static const struct together siblings_##name = {SIBLINGS, siblings_new, together_##name,     \
                                                    siblings_free, siblings_all};

RECORD(blocked, 0)
RECORD(plain, 1)

/* clang-format off */
#define COMMON(suffix) .name = "conv2d_direct_" BITS_NAME "_" ISA_NAME, .op = "conv2d", .isa = ISA_BITS, \
    .dir = DIR_FORWARD, .dtypes = 1 << DTYPE_U8 | 1 << DTYPE_I8 | 1 << DTYPE_I32 | 1 << DTYPE_F32, \
    .quantised = 1, .epilogue = quant8_layer_follow, .pulls = 1, .writes = LAYOUT_C16, \
    .scratch = scratch_##suffix, .pack_bytes = pack_bytes_##suffix, .pack = pack_##suffix, \
    .run = run_##suffix, .together = &siblings_##suffix, .accepts = accepts_##suffix
/* clang-format on */

const struct kernel FAMILY(conv2d_direct_, _kernels)[] = {
    {COMMON(blocked), .reads = LAYOUT_C16},
    {COMMON(plain), .reads = LAYOUT_PLAIN},
    {0},
};
