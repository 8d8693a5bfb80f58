/* conv2d_direct_8.c -- see conv2d_direct_8.h: packing and tables; the
 * arithmetic is in conv2d_direct_8_body.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/conv2d_direct_8.h"

#include <string.h>

#include "base/thread.h"
#include "cpu/round.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { X, WEIGHT, BIAS };

static int accepts(const struct step_nodes *s)
{
    const struct shape *w = &s->node[0]->in[WEIGHT]->shape;
    struct layer_follow f;

    return quant8_layer(s->node[0], X, WEIGHT, BIAS) && quant8_layer_requant(s, &f) == 0 &&
           w->dim[1] * w->dim[2] * w->dim[3] <= QUANT8_MOST_K;
}

static int is_plain(const struct step_nodes *s)
{
    return direct_is_plain(s->node[0], s->node[0]->in[X]->shape.dim[1]);
}

int conv2d_direct_8_accepts(const struct step_nodes *s)
{
    return accepts(s) && !is_plain(s);
}

int conv2d_direct_8_accepts_plain(const struct step_nodes *s)
{
    return accepts(s) && is_plain(s);
}

static int64_t table_of(const struct direct *d)
{
    return store8_table(d->o);
}

size_t conv2d_direct_8_scratch(const struct direct_isa *isa, int planar, const struct step_nodes *s,
                               int threads)
{
    struct direct d = conv2d_direct_of(&isa->form, planar, s);

    direct_cut(isa, &d, threads);
    return direct_room(&d, table_of(&d), threads) * sizeof(int32_t);
}

size_t conv2d_direct_8_pack_bytes(const struct direct_isa *isa, int planar,
                                  const struct step_nodes *s, int i)
{
    const struct direct d = conv2d_direct_of(&isa->form, planar, s);

    return i == WEIGHT ? (size_t)(d.panels * LANES * (d.k + 1)) * sizeof(int32_t) : 0;
}

/* The weights of a panel's outputs in block I, of N slots: at a tap, for channels
 * from C on; of plain x those of a tap row.  */
struct block {
    const struct direct *d;
    const int8_t *w;
    int64_t panel, i, c, tap, n;
};

static inline void put(int per, int8_t w, int64_t i, int64_t o, void *to)
{
    const int64_t at = (i / per * LANES + o % LANES) * per + i % per;

    if (per == 4)
        ((int8_t *)to)[at] = w;
    else
        ((int16_t *)to)[at] = w;
}

/* Those of output O, lane O of the slots TO, which are zeros: their sum.  */
static inline int32_t pack_output(const int per, const struct block *b, int64_t o, void *to)
{
    const struct direct *d = b->d;
    const int64_t channels = d->c / d->groups, taps = d->kernel[0] * d->kernel[1];
    const int64_t first = o / (d->o / d->groups) * channels - b->c; /* of its group */
    const int64_t end = least(first + channels, b->n * per);
    const int8_t *filter = b->w + o * channels * taps + b->tap;
    int32_t sum = 0;

    for (int64_t i = most(first, 0); i < end; i++) {
        const int8_t w = filter[(i - first) * taps];

        put(per, w, i, o, to);
        sum += w;
    }
    return sum;
}

static int32_t pack_plain(const struct block *b, int64_t o, void *to)
{
    const struct direct *d = b->d;
    const int8_t *filter = b->w + o * d->c * d->kernel[0] * d->kernel[1];
    int32_t sum = 0;

    for (int64_t i = 0; i < b->n * d->per; i++) {
        const int64_t at = direct_plain_weight(d, b->i, i);

        if (at < 0)
            continue;
        put(d->per, filter[at], i, o, to);
        sum += filter[at];
    }
    return sum;
}

static void pack_block(const struct block *b, int32_t *to, int32_t *sums)
{
    const int64_t first = b->panel * LANES, end = least(first + LANES, b->d->o);

    for (int64_t o = first; o < end; o++)
        sums[o] += b->d->planar     ? pack_plain(b, o, to)
                   : b->d->per == 4 ? pack_output(4, b, o, to)
                                    : pack_output(2, b, o, to);
}

void conv2d_direct_8_pack(const struct direct_isa *isa, int planar, const struct step_nodes *s,
                          const struct tensor *t, void *packed)
{
    const struct direct d = conv2d_direct_of(&isa->form, planar, s);
    const int64_t taps = d.kernel[0] * d.kernel[1];
    int32_t *to = packed, *sums = to + d.panels * LANES * d.k;
    struct block b = {.d = &d, .w = t->data};

    memset(packed, 0, (size_t)(d.panels * LANES * (d.k + 1)) * sizeof *to);
    for (; b.panel < d.panels; b.panel++)
        for (b.i = 0; b.i < d.blocks; b.i++, to += b.n * LANES) {
            b.c = planar ? 0 : (direct_first(&d, b.panel) + b.i / taps) * LANES;
            b.tap = b.i % taps;
            b.n = b.i < d.whole ? d.kn : d.kn_last;
            pack_block(&b, to, sums);
        }
}

struct begun {
    struct direct d;
    struct direct8_run r;
};

static struct loop begin(const struct direct_isa *isa, int planar, const struct kernel_args *a,
                         struct begun *b)
{
    struct direct8_run *r = &b->r;
    struct direct *d = &b->d;
    struct grid8 x = {0};
    void *table;

    *d = conv2d_direct_of(&isa->form, planar, a->step);
    *r = (struct direct8_run){.r = {.x = a->op.in[X].data}};
    table = direct_start(isa, d, table_of(d), pool_threads(a->pool), a->scratch, &r->r);
    r->r.w = a->packed[WEIGHT];
    r->to = store8_of(a, d->o, (const int32_t *)r->r.w + d->panels * LANES * d->k, table);
    grid8_operand(a->op.node, X, &x);
    r->outside = (int32_t)((uint32_t)x.zero * (isa->form.per == 4 ? 0x01010101u : 0x00010001u));
    return direct_loop(isa, a->pool, &r->r);
}

void conv2d_direct_8_together(const struct direct_isa *isa, int planar, const struct siblings *s)
{
    struct begun b[SIBLINGS];
    struct loop l[SIBLINGS];

    for (int i = 0; i < s->n; i++)
        l[i] = begin(isa, planar, s->a[i], &b[i]);
    pool_run_all(s->a[0]->pool, l, s->n);
}

void conv2d_direct_8_run(const struct direct_isa *isa, int planar, const struct kernel_args *a)
{
    const struct siblings alone = {1, &a};

    conv2d_direct_8_together(isa, planar, &alone);
}
