/* dwconv2d_8_body.h -- depthwise convolution of u8 with i8 weights; compiled
 * once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Differences to the zero point and weights are small whole numbers, so the
 * float kernel of strips.inc computes their sums exactly.  */
#include "cpu/kernels.h"
#include "cpu/strips.inc"
#include "cpu/vec8.h"

static void fetch_rows(const struct plane *l, int64_t first, float *scratch)
{
    const struct sweep *s = l->s;
    const uint8_t *x = (const uint8_t *)l->r->x + l->plane * s->in[0] * s->in[1];
    const int64_t h0 = first * s->step[0] + s->t[0].low, w = s->in[1];
    const vf zero = VF1((float)l->r->x_zero);
    float *to = scratch + s->copy_at, *line = scratch + s->line_at;

    for (int64_t u = 0; u < s->rows; u++, to += s->row) {
        const uint8_t *row = x + (h0 + u) * w;
        int64_t i = 0;

        if (h0 + u < 0 || h0 + u >= s->in[0]) {
            fill_over(to, 0, s->row);
            continue;
        }
        for (; i + VL <= w; i += VL)
            vf_store(line + i, vf_of_u8(row + i) - zero);
        if (i < w)
            vf_store(line + i, vf_of_u8_n(row + i, w - i) - zero);
        copy_row(s, line, to);
    }
}

static void store_part(const struct plane *l, const float *acc, int64_t i, int64_t j, int64_t n)
{
    const struct sweep *s = l->s;
    const struct sweep_run *r = l->r;
    const struct levels q = {r->q.lo, r->q.hi, r->q.zero};
    const vf scale = VF1(r->scale[l->channel]), shift = VF1(r->shift[l->channel]);
    const int64_t at = l->plane * s->map[0] * s->map[1] + i * s->out[1] + j;
    uint8_t *y8 = (uint8_t *)r->y + at;

    for (int64_t p = 0; p < n; p += VL) {
        const vf v = vf_fma(vf_load(acc + p), scale, shift);
        const int64_t m = n - p < VL ? n - p : VL;

        if (!r->q.to_u8)
            vf_store_n(r->y + at + p, vf_min(VF1(q.hi), vf_max(VF1(q.lo), v)), m);
        else if (m == VL)
            vf_store_u8(y8 + p, vf_level(&q, v));
        else
            vf_store_u8_n(y8 + p, vf_level(&q, v), m);
    }
}

/* ---- records ---- */

static const struct conv_isa isa = {1, 1, STRIP, 1, 1, sweep_task, NULL};

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

const struct kernel ISA(dwconv2d_8_kernels)[] = {
    {
        .name = "dwconv2d_8_" ISA_NAME,
        .op = "conv2d",
        .dir = DIR_FORWARD,
        .isa = ISA_BITS,
        .dtypes = 1 << DTYPE_U8 | 1 << DTYPE_I8 | 1 << DTYPE_I32 | 1 << DTYPE_F32,
        .quantised = 1,
        .epilogue = quant8_follow,
        .accepts = conv2d_gemm_accepts_depthwise_8,
        .scratch = scratch,
        .pack_bytes = pack_bytes,
        .pack = pack,
        .run = run,
    },
    {0},
};
