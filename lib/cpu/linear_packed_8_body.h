/* linear_packed_8_body.h -- linear layers of u8 with i8 weights that are
 * packed once; compiled once per instruction set, and for weights of 7 bits.
 * SPDX-License-Identifier: MIT
 *
 * A slot holds PER numbers of a row (vec8.h); weights are packed as
 * [O/16][slot][16][PER], and behind them the sums of each output's.  */
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/outer.h"
#include "cpu/vec8.h"
#include "op/quant8.h"

typedef uint8_t elem;
typedef int32_t slot;
typedef vi vacc;
enum { PIXEL = LANES / PER };
#define product outer_8
#define store   vi_store
#define NOTHING VI1(0)
OUTER(outer_8, slot, vi, vi_load, slot_all, vi_mac)

INLINE void copy_part(slot *to, const uint8_t *from, int64_t n)
{
    uint8_t t[LANES] = {0};

    if (n < LANES)
        from = memcpy(t, from, (size_t)n);
    slots_of_16(to, from);
}

#include "cpu/rows.inc"

struct rows_8 {
    struct rows r;
    void *y;
    struct outputs8 out;
    struct requant q;
    struct levels levels;
};

INLINE const uint8_t *part_of(const struct rows *r, int64_t row, int64_t c)
{
    return r->x + row * r->c + c;
}

/* N lanes, the last vector may be cut.  */
static void finish_tile(const struct rows *rows, int64_t panel, const slot *from, int64_t row,
                        int64_t m, int64_t n)
{
    const struct rows_8 *r = (const struct rows_8 *)rows;

    for (int64_t i = 0; i < n; i += VL) {
        const int64_t k = n - i < VL ? n - i : VL, lane = panel * LANES + i;
        const vf scale = vf_load(r->out.scale + lane), shift = vf_load(r->out.shift + lane);
        const vi base = vi_load(r->out.base + lane);
        int64_t at = row * rows->o + lane;

        for (int64_t j = 0; j < m; j++, at += rows->o) {
            const vi sum = vi_add(vi_load(from + j * PANELS * LANES + i), base);
            const vf v = vf_fma(vf_of(sum), scale, shift);
            const vf f = vf_min(VF1(r->q.hi), vf_max(VF1(r->q.lo), v));

            if (r->q.to_u8)
                vf_store_u8_n((uint8_t *)r->y + at, vf_level(&r->levels, v), k);
            else if (k == VL)
                vf_store((float *)r->y + at, f);
            else
                vf_store_n((float *)r->y + at, f, k);
        }
    }
}

/* ---- the record ---- */

static int accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    struct requant q;

    return quant8_layer(n, X, WEIGHT, BIAS) && quant8_requant(s, &q) == 0 &&
           n->in[WEIGHT]->shape.dim[1] <= QUANT8_MOST_K && has_bits(n, WEIGHT);
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct rows r = rows_of(s, threads);

    return (size_t)(3 * r.panels * LANES + copy_slots(&r)) * sizeof(slot);
}

static size_t pack_bytes(const struct step_nodes *s, int i)
{
    const struct rows r = rows_of(s, 1);

    return i == WEIGHT ? (size_t)(r.panels * LANES * (r.k + 1)) * sizeof(slot) : 0;
}

/* Weight C of the output that slot TO is of.  */
static void put(slot *to, int64_t c, int8_t w)
{
    if (PER == 4)
        ((int8_t *)to)[c % PER] = w;
    else
        ((int16_t *)to)[c % PER] = w;
}

static void pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    const struct rows r = rows_of(s, 1);
    const int8_t *w = t->data;
    slot *to = packed, *sums = to + r.panels * LANES * r.k;

    memset(packed, 0, pack_bytes(s, i));
    for (int64_t o = 0; o < r.o; o++)
        for (int64_t c = 0; c < r.c; c++, w++) {
            put(to + (o / LANES * r.k + c / PER) * LANES + o % LANES, c, *w);
            sums[o] += *w;
        }
}

static void run(const struct kernel_args *a)
{
    struct rows_8 r = {.r = rows_of(a->step, pool_threads(a->pool)), .y = a->op.out[0].data};
    const int64_t lanes = r.r.panels * LANES;

    r.r.x = a->op.in[X].data;
    r.r.w = a->packed[WEIGHT];
    quant8_requant(a->step, &r.q);
    r.r.beside = (struct ahead_arrays){.size = r.q.to_u8 ? 1 : sizeof(float)};
    ahead_add(&r.r.beside, r.y);
    r.levels = (struct levels){r.q.lo, r.q.hi, r.q.zero};
    r.out = quant8_outputs(a, &r.q, r.r.o, lanes, r.r.w + lanes * r.r.k, a->scratch);
    r.r.copy = (slot *)a->scratch + 3 * lanes;
    run_rows(&r.r, &r, a->pool);
}

const struct kernel FAMILY(linear_packed_, _kernels)[] = {
    {.name = "linear_packed_" BITS_NAME "_" ISA_NAME,
     .op = "linear",
     .dir = DIR_FORWARD,
     .isa = ISA_BITS,
     .dtypes = 1 << DTYPE_U8 | 1 << DTYPE_I8 | 1 << DTYPE_I32 | 1 << DTYPE_F32,
     .quantised = 1,
     .epilogue = quant8_follow,
     .accepts = accepts,
     .scratch = scratch,
     .pack_bytes = pack_bytes,
     .pack = pack,
     .run = run},
    {0},
};
