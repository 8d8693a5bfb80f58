/* conv2d_direct_8_body.h -- see conv2d_direct_8.h; compiled once per
 * instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/vec8.h"

#include "cpu/conv2d_direct_8.h"
#include "cpu/kernels.h"
#include "cpu/outer.h"

typedef uint8_t elem;
typedef int32_t slot;
typedef vi vacc;
enum { PIXEL = LANES / PER, PLAIN = DIRECT_PLAIN / PER };
#define product outer_8
OUTER(outer_8, slot, vi, vi_load, VI1, vi_mac)

INLINE const struct direct8_run *run_8(const struct direct_run *r)
{
    return (const struct direct8_run *)r;
}

#define outside(r)     run_8(r)->outside
#define start(r, t, v) vi_load(run_8(r)->out.base + (t)->panel * LANES + (v)*VL)

/* ---- reading ---- */

INLINE void copy_pixel(slot *to, const uint8_t *from)
{
#if defined(__AVX512VNNI__)
    memcpy(to, from, LANES);
#elif defined(__AVX2__)
    _mm256_storeu_si256((__m256i *)to,
                        _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)from)));
#else
    for (int i = 0; i < PIXEL; i++)
        to[i] = from[2 * i] | from[2 * i + 1] << 16;
#endif
}

/* The channels of a pixel side by side; zeros behind the last.  */
static void copy_plain(const struct direct *d, slot pad, const uint8_t *x, int64_t f, slot *to)
{
    const int64_t plane = d->in[0] * d->in[1];
    int64_t w = f - d->pad[1];

    for (int64_t j = 0; j < d->each[1]; j++, w += d->stride[1], to += PLAIN)
        if (w < 0 || w >= d->in[1]) {
            for (int i = 0; i < PLAIN; i++)
                to[i] = pad;
        } else {
            for (int i = 0; i < PLAIN; i++)
                to[i] = 0;
            for (int64_t c = 0; c < d->c; c++)
                to[c / PER] |= (int32_t)((uint32_t)x[c * plane + w] << (32 / PER * (c % PER)));
        }
}

/* ---- storing ---- */

/* M pixels of a panel as bytes, 16 apart.  */
INLINE void store_levels(const int m, const struct direct8_run *r, int64_t lane, vi (*a)[MR],
                         uint8_t *y)
{
#if defined(__AVX512F__)
    const vf scale = vf_load(r->out.scale + lane), shift = vf_load(r->out.shift + lane);

    EACH (q, (m + 3) / 4) {
        vi v[4] = {VI1(0), VI1(0), VI1(0), VI1(0)};

        EACH (j, 4)
            if (4 * q + j < m)
                v[j] = vi_level(&r->levels, vf_fma(vf_of(a[0][4 * q + j]), scale, shift));
        vi_store_levels(y + 4 * q * LANES, &r->levels, v, m - 4 * q < 4 ? m - 4 * q : 4);
    }
#else
    EACH (v, PV) {
        const vf scale = vf_load(r->out.scale + lane + v * VL);
        const vf shift = vf_load(r->out.shift + lane + v * VL);

        EACH (i, m)
            vf_store_u8(y + i * LANES + v * VL,
                        vf_level(&r->levels, vf_fma(vf_of(a[v][i]), scale, shift)));
    }
#endif
}

/* M pixels of a panel as floats.  */
static void store_floats(const struct direct8_run *r, int64_t lane, const int32_t *a, float *y,
                         int64_t n)
{
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t c = lane + i % LANES;
        const vf v =
            vf_fma(vf_of(vi_load(a + i)), vf_load(r->out.scale + c), vf_load(r->out.shift + c));

        vf_store(y + i, vf_min(VF1(r->q.hi), vf_max(VF1(r->q.lo), v)));
    }
}

INLINE void store(const int m, const int panels, const struct direct_run *run,
                  const struct direct_tile *t, vi (*a)[MR])
{
    const struct direct8_run *r = run_8(run);
    const int64_t area = run->d->out[0] * run->d->out[1] * LANES;

    if (r->q.to_u8) {
        EACH (p, panels)
            store_levels(m, r, (t->panel + p) * LANES, a + p * PV,
                         (uint8_t *)run->y + t->at + p * area);
        return;
    }
    EACH (p, panels) {
        int32_t sums[MR * LANES];

        EACH (v, PV)
            EACH (i, m)
                vi_store(sums + i * LANES + v * VL, a[p * PV + v][i]);
        store_floats(r, (t->panel + p) * LANES, sums, (float *)run->y + t->at + p * area,
                     m * LANES);
    }
}

#include "cpu/direct.inc"

/* ---- records ---- */

static const struct direct_isa isa = {MR, PANELS, PER, task, NULL, 0};

#define RECORD(name, planar)                                                                     \
    static size_t scratch_##name(const struct step_nodes *s, int threads)                        \
    {                                                                                            \
        return conv2d_direct_8_scratch(&isa, planar, s, threads);                                \
    }                                                                                            \
    static size_t pack_bytes_##name(const struct step_nodes *s, int i)                           \
    {                                                                                            \
        return conv2d_direct_8_pack_bytes(PER, planar, s, i);                                    \
    }                                                                                            \
    static void pack_##name(const struct step_nodes *s, int i, const struct tensor *t, void *to) \
    {                                                                                            \
        (void)i;                                                                                 \
        conv2d_direct_8_pack(PER, planar, s, t, to);                                             \
    }                                                                                            \
    static void run_##name(const struct kernel_args *a)                                          \
    {                                                                                            \
        conv2d_direct_8_run(&isa, planar, a);                                                    \
    }

RECORD(blocked, 0)
RECORD(plain, 1)

/* clang-format off */
#define COMMON(suffix) .name = "conv2d_direct_8_" ISA_NAME, .op = "conv2d", .isa = ISA_BITS, \
    .dir = DIR_FORWARD, .dtypes = 1 << DTYPE_U8 | 1 << DTYPE_I8 | 1 << DTYPE_I32 | 1 << DTYPE_F32, \
    .quantised = 1, .epilogue = quant8_follow, .pulls = 1, .writes = LAYOUT_C16, \
    .scratch = scratch_##suffix, .pack_bytes = pack_bytes_##suffix, .pack = pack_##suffix, \
    .run = run_##suffix
/* clang-format on */

const struct kernel ISA(conv2d_direct_8_kernels)[] = {
    {COMMON(blocked), .reads = LAYOUT_C16, .accepts = conv2d_direct_8_accepts},
    {COMMON(plain), .reads = LAYOUT_PLAIN, .accepts = conv2d_direct_8_accepts_plain},
    {0},
};
