/* conv2d_8_body.h -- convolution of u8 with i8 weights, sums of 32 bits: the
 * frame of conv2d_gemm.h over elements that hold PER channels; compiled once
 * per instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/kernels.h"
#include "cpu/panels.inc"
#include "cpu/vec8.h"

/* ---- a tile ---- */

/* acc[MR][NR] (+)= w[k][MR] . x[k][NV VL], vector v of tap k at b_v + off[k] */
INLINE void tile_nv(const int nv, const float *w, const float *b0, const float *b1, const float *b2,
                    const int32_t *off, int64_t k, float *acc, int first)
{
    vi a[MR][NV];

    EACH (i, MR)
        EACH (v, nv)
            a[i][v] = first ? VI1(0) : vi_load(acc + i * NR + v * VL);
    for (int64_t j = 0; j < k; j++, w += MR) {
        const int64_t at = off[j];
        vi x[NV];

        x[0] = vi_load(b0 + at);
        if (nv > 1)
            x[1] = vi_load(b1 + at);
        if (nv > 2)
            x[2] = vi_load(b2 + at);
        EACH (i, MR) {
            int32_t q;

            memcpy(&q, w + i, sizeof q);
            const vi b = VI1(q);

            EACH (v, nv)
                a[i][v] = vi_dot(a[i][v], x[v], b);
        }
    }
    EACH (i, MR)
        EACH (v, nv)
            vi_store(acc + i * NR + v * VL, a[i][v]);
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

/* ---- storing ---- */

/* N results at P of a map.  */
static void store_row_8(const struct sweep_run *r, const float *acc, int64_t n, int64_t o,
                        int64_t at)
{
    const struct levels q = {r->q.lo, r->q.hi, r->q.zero};
    const vi base = VI1(r->base[o]);
    const vf scale = VF1(r->scale[o]), shift = VF1(r->shift[o]);
    uint8_t *y8 = (uint8_t *)r->y + at;

    for (int64_t i = 0; i < n; i += VL) {
        const vf v = vf_fma(vf_of(vi_add(vi_load(acc + i), base)), scale, shift);
        const int64_t m = n - i < VL ? n - i : VL;

        if (!r->q.to_u8) {
            const vf f = vf_min(VF1(q.hi), vf_max(VF1(q.lo), v));

            if (m == VL)
                vf_store(r->y + at + i, f);
            else
                vf_store_n(r->y + at + i, f, m);
        } else if (m == VL) {
            vf_store_u8(y8 + i, vf_level(&q, v));
        } else {
            vf_store_u8_n(y8 + i, vf_level(&q, v), m);
        }
    }
}

static void store(const struct place *l, int64_t b, const float *acc, int64_t p, int64_t n)
{
    const struct sweep *s = l->s;

    for (int64_t o = b * MR; o < (b + 1) * MR && o < s->o; o++, acc += NR)
        store_row_8(l->r, acc, n, l->channel + o,
                    (l->plane * s->o + o) * s->map[0] * s->map[1] + p);
}

/* ---- reading x ---- */

/* Pixels [I, N) of rows of PER channels, one pixel at a time.  */
INLINE void join_slow(const uint8_t *const row[PER], int64_t i, int64_t n, float *to)
{
    for (; i < n; i++) {
        uint32_t bits = 0;

        for (int c = 0; c < PER; c++)
            bits |= (uint32_t)row[c][i] << (32 / PER * c);
        memcpy(to + i, &bits, sizeof bits);
    }
}

/* A row of N pixels: PER rows of bytes become one of elements.  */
static void join_rows(const uint8_t *const row[PER], int64_t n, float *to)
{
    int64_t i = 0;

#if defined(__AVX512VNNI__)
    for (; i + 16 <= n; i += 16) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(row[0] + i));
        const __m128i b = _mm_loadu_si128((const __m128i *)(row[1] + i));
        const __m128i c = _mm_loadu_si128((const __m128i *)(row[2] + i));
        const __m128i d = _mm_loadu_si128((const __m128i *)(row[3] + i));
        const __m128i e = _mm_unpacklo_epi8(a, b), f = _mm_unpackhi_epi8(a, b);
        const __m128i g = _mm_unpacklo_epi8(c, d), h = _mm_unpackhi_epi8(c, d);

        _mm_storeu_si128((__m128i *)(to + i), _mm_unpacklo_epi16(e, g));
        _mm_storeu_si128((__m128i *)(to + i + 4), _mm_unpackhi_epi16(e, g));
        _mm_storeu_si128((__m128i *)(to + i + 8), _mm_unpacklo_epi16(f, h));
        _mm_storeu_si128((__m128i *)(to + i + 12), _mm_unpackhi_epi16(f, h));
    }
#elif defined(__AVX2__)
    for (; i + 8 <= n; i += 8) {
        const __m128i a = _mm_loadl_epi64((const __m128i *)(row[0] + i));
        const __m128i b = _mm_loadl_epi64((const __m128i *)(row[1] + i));

        _mm256_storeu_si256((__m256i *)(to + i),
                            _mm256_or_si256(_mm256_cvtepu8_epi32(a),
                                            _mm256_slli_epi32(_mm256_cvtepu8_epi32(b), 16)));
    }
#endif
    join_slow(row, i, n, to);
}

static const float *fetch(const struct place *l, float *scratch)
{
    const struct sweep *s = l->s;
    const int64_t area = s->in[0] * s->in[1];
    const uint8_t *x = (const uint8_t *)l->r->x + l->plane * s->channels * area;
    const int64_t h0 = l->row * s->step[0] + s->t[0].low;
    float *to = scratch + s->copy_at, *line = scratch + s->line_at;

    for (int64_t c = 0; c < s->c; c++)
        for (int64_t u = 0; u < s->rows; u++, to += s->row) {
            const uint8_t *row[PER];

            if (h0 + u < 0 || h0 + u >= s->in[0]) {
                fill_over(to, s->pad, s->row);
                continue;
            }
            for (int i = 0; i < PER; i++) { /* weights of missing ones are 0 */
                const int64_t channel = c * PER + i < s->channels ? c * PER + i : c * PER;

                row[i] = x + channel * area + (h0 + u) * s->in[1];
            }
            join_rows(row, s->in[1], line);
            copy_row(s, line, to);
        }
    return scratch + s->copy_at;
}

/* ---- records ---- */

static const struct conv_isa isa = {VL, MR, NR, 0, PER, sweep_task, NULL};

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

const struct kernel ISA(conv2d_8_kernels)[] = {
    {
        .name = "conv2d_8_" ISA_NAME,
        .op = "conv2d",
        .dir = DIR_FORWARD,
        .isa = ISA_BITS,
        .dtypes = 1 << DTYPE_U8 | 1 << DTYPE_I8 | 1 << DTYPE_I32 | 1 << DTYPE_F32,
        .quantised = 1,
        .epilogue = quant8_follow,
        .accepts = conv2d_gemm_accepts_8,
        .scratch = scratch,
        .pack_bytes = pack_bytes,
        .pack = pack,
        .run = run,
    },
    {0},
};
