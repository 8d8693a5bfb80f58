/* linear_packed_body.h -- linear layers whose weights are packed once;
 * compiled once per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Weights are packed as [O/16][c][16]; every output is one chain over c.  */
#include <string.h>

#include "base/thread.h"
#include "cpu/follow.h"
#include "cpu/kernels.h"
#include "cpu/outer.h"

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
};

/* N lanes, the last vector may be cut.  */
static void finish_row(const struct rows *rows, int64_t panel, const float *from, int64_t row,
                       int64_t n)
{
    const struct rows_f32 *r = (const struct rows_f32 *)rows;
    const int64_t at = row * rows->o + panel * LANES;

    for (int64_t i = 0; i < n; i += VL) {
        const int64_t k = n - i < VL ? n - i : VL, lane = panel * LANES + i;
        vf v = vf_fma(vf_load(from + i), vf_load(r->f.scale + lane), vf_load(r->f.shift + lane));

        if (r->f.add)
            v = v + vf_load_n(r->f.add + at + i, k);
        v = vf_act((enum act)r->f.act, v, VF1(r->f.lo), VF1(r->f.hi));
        if (k == VL)
            vf_store(r->y + at + i, v);
        else
            vf_store_n(r->y + at + i, v, k);
    }
}

/* ---- the record ---- */

static int accepts(const struct step_nodes *s)
{
    return value_is_tensor(s->node[0]->in[WEIGHT]) && follow_accepts(s);
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct rows r = rows_of(s, threads);

    return ((size_t)(2 * r.panels * LANES) + r.copy_slots * (size_t)threads) * sizeof(float);
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
    const float *w = t->data;
    float *to = packed;

    (void)i;
    for (int64_t panel = 0; panel < r.panels; panel++, to += r.c * LANES)
        for (int64_t o = 0; o < LANES; o++)
            for (int64_t c = 0; c < r.c; c++)
                to[c * LANES + o] = panel * LANES + o < r.o ? w[(panel * LANES + o) * r.c + c] : 0;
}

static void run(const struct kernel_args *a)
{
    struct rows_f32 r = {.r = rows_of(a->step, pool_threads(a->pool)), .y = a->op.out[0].data};
    float *table = a->scratch;

    r.r.x = a->op.in[X].data;
    r.r.w = a->packed[WEIGHT];
    r.f = follow_lanes(a, r.r.o, a->op.in[BIAS].data, table);
    r.r.scratch = table + 2 * r.r.panels * LANES;
    pool_run(a->pool, r.r.bands * r.r.parts, task, &r);
}

const struct kernel ISA(linear_packed_kernels)[] = {
    {.name = "linear_packed_" ISA_NAME,
     .op = "linear",
     .dir = DIR_FORWARD,
     .isa = ISA_BITS,
     .dtypes = 1 << DTYPE_F32,
     .epilogue = follow_add_names,
     .accepts = accepts,
     .scratch = scratch,
     .pack_bytes = pack_bytes,
     .pack = pack,
     .run = run},
    {0},
};
