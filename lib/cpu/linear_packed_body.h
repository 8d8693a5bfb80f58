/* linear_packed_body.h -- linear layers whose weights are packed once;
 * compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Weights are packed as [O/16][c][16]; every output is one chain over c.  A
 * convolution over patches that do not overlap, whose places become tokens,
 * is a linear layer of the patches.  */
#include <string.h>

#include "cpu/follow.h"
#include "cpu/kernels.h"
#include "cpu/transpose.h"
#include "graph/attr.h"
#include "graph/layout.h"

typedef float elem, slot;
typedef vf vacc;
enum { PIXEL = LANES };
#define product outer
#define store   vf_store
#define NOTHING VF0

INLINE void copy_part(float *to, const float *from, int64_t n)
{
    memcpy(to, from, (size_t)n * sizeof *to);
}

#include "cpu/rows.inc"

struct rows_f32 {
    struct rows r;
    float *y;
    struct follow f;
    int64_t in[3], kernel[2], out[2]; /* of patches: c, h, w; rows, columns */
};

/* Sixteen columns of a patch, or of a row.  */
static const float *part_of(const struct rows *rows, int64_t row, int64_t c)
{
    const struct rows_f32 *r = (const struct rows_f32 *)rows;
    const int64_t *in = r->in, *kernel = r->kernel, line = c / (kernel[1] ? kernel[1] : 1);
    int64_t n, p, q;

    if (!kernel[1])
        return rows->x + row * rows->c + c;
    n = row / (r->out[0] * r->out[1]);
    p = row / r->out[1] % r->out[0] * kernel[0] + line % kernel[0];
    q = row % r->out[1] * kernel[1] + c % kernel[1];
    return rows->x + ((n * in[0] + line / kernel[0]) * in[1] + p) * in[2] + q;
}

/* N lanes, the last vector may be cut.  */
static void finish_tile(const struct rows *rows, int64_t panel, const float *from, int64_t row,
                        int64_t m, int64_t n)
{
    const struct rows_f32 *r = (const struct rows_f32 *)rows;
    const vf lo = VF1(r->f.lo), hi = VF1(r->f.hi);

    for (int64_t i = 0; i < n; i += VL) {
        const int64_t k = n - i < VL ? n - i : VL, lane = panel * LANES + i;
        const vf scale = vf_load(r->f.scale + lane), shift = vf_load(r->f.shift + lane);
        int64_t at = row * rows->o + lane;

        for (int64_t j = 0; j < m; j++, at += rows->o) {
            vf v = vf_fma(vf_load(from + j * PANELS * LANES + i), scale, shift);

            if (r->f.add)
                v = v + (k == VL ? vf_load(r->f.add + at) : vf_load_n(r->f.add + at, k));
            v = vf_act((enum act)r->f.act, v, lo, hi);
            if (k == VL)
                vf_store(r->y + at, v);
            else
                vf_store_n(r->y + at, v, k);
        }
    }
}

/* ---- the record ---- */

static int accepts(const struct step_nodes *s)
{
    return value_is_tensor(s->node[0]->in[WEIGHT]) && follow_accepts(s);
}

/* Patches side by side, in whole vectors, read by tokens.  */
static int patches_accept(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const int64_t *kernel = attr_ints(n, "kernel", NULL), *stride = attr_ints(n, "stride", NULL);
    const int64_t *pad = attr_ints(n, "pad", NULL), *dilation = attr_ints(n, "dilation", NULL);

    return value_is_tensor(n->in[WEIGHT]) && s->n == 2 && kernel[1] % LANES == 0 &&
           kernel[0] == stride[0] && kernel[1] == stride[1] && dilation[0] == 1 &&
           dilation[1] == 1 && !(pad[0] | pad[1] | pad[2] | pad[3]) && attr_int(n, "groups") == 1;
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct rows r = rows_of(s, threads);

    return (size_t)(2 * r.panels * LANES + copy_slots(&r)) * sizeof(float);
}

static size_t pack_bytes(const struct step_nodes *s, int i)
{
    const struct rows r = rows_of(s, 1);

    return i == WEIGHT ? (size_t)(r.panels * LANES * r.c) * sizeof(float) : 0;
}

/* W[o][c] as [o/16][c][16].  */
static void pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    const struct rows r = rows_of(s, 1);
    float *to = packed;

    (void)i;
    for (int64_t o = 0; o < r.o; o += LANES, to += r.c * LANES) {
        const int64_t n = r.o - o < LANES ? r.o - o : LANES;

        if (n < LANES)
            memset(to, 0, (size_t)(r.c * LANES) * sizeof *to);
        transpose(to, LANES, (const float *)t->data + o * r.c, r.c, n, r.c);
    }
}

static void run_f32(const struct kernel_args *a, struct rows_f32 *r)
{
    float *table = a->scratch;

    r->r.x = a->op.in[X].data;
    r->r.w = a->packed[WEIGHT];
    r->y = a->op.out[0].data;
    r->f = follow_lanes(a, r->r.o, a->op.in[BIAS].data, table);
    r->r.copy = table + 2 * r->r.panels * LANES;
    run_rows(&r->r, r, a->pool);
}

static void run(const struct kernel_args *a)
{
    struct rows_f32 r = {.r = rows_of(a->step, pool_threads(a->pool))};

    run_f32(a, &r);
}

/* Rows are in the order of tokens.  */
static void patches(const struct kernel_args *a)
{
    struct rows_f32 r = {.r = rows_of(a->step, pool_threads(a->pool))};
    struct step_nodes conv = *a->step;
    struct kernel_args alone = *a;

    conv.n = 1;
    alone.step = &conv;
    memcpy(r.in, a->op.in[X].shape.dim + 1, sizeof r.in);
    memcpy(r.out, conv.node[0]->out[0]->shape.dim + 2, sizeof r.out);
    memcpy(r.kernel, attr_ints(a->op.node, "kernel", NULL), sizeof r.kernel);
    run_f32(&alone, &r);
}

static const char *const tokens[] = {"tokens", NULL};

/* clang-format off */
#define COMMON .name = "linear_packed_" ISA_NAME, .dir = DIR_FORWARD, .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .scratch = scratch, .pack_bytes = pack_bytes, .pack = pack

const struct kernel ISA(linear_packed_kernels)[] = {
    {COMMON, .op = "linear", .epilogue = follow_add_names, .accepts = accepts, .run = run},
    {COMMON, .op = "conv2d", .epilogue = tokens, .accepts = patches_accept, .run = patches},
    {0},
};
/* clang-format on */
