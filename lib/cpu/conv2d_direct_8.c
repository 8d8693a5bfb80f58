/* conv2d_direct_8.c -- see conv2d_direct_8.h: packing and tables; the
 * arithmetic is in conv2d_direct_8_body.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/conv2d_direct_8.h"

#include "base/thread.h"
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
    return s->node[0]->in[X]->shape.dim[1] <= DIRECT_PLAIN && attr_int(s->node[0], "groups") == 1;
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

/* The weight of channel C of x at a tap for output O.  */
static int8_t weight_at(const struct direct *d, const int8_t *w, int64_t o, int64_t c, int64_t tap)
{
    const int64_t each = d->c / d->groups;

    c -= o / (d->o / d->groups) * each;
    return c < 0 || c >= each ? 0 : w[(o * each + c) * d->kernel[0] * d->kernel[1] + tap];
}

struct packer {
    const struct direct *d;
    const int8_t *w;
    void *to;
    int64_t at;
    int32_t *sums;
};

/* One slot for each output of a panel: channels from C on.  */
static void pack_slot(struct packer *p, int64_t panel, int64_t c, int64_t tap)
{
    for (int64_t o = panel * LANES; o < (panel + 1) * LANES; o++)
        for (int64_t i = c; i < c + p->d->per; i++) {
            const int8_t v = o < p->d->o ? weight_at(p->d, p->w, o, i, tap) : 0;

            if (p->d->per == 4)
                ((int8_t *)p->to)[p->at++] = v;
            else
                ((int16_t *)p->to)[p->at++] = v;
            p->sums[o] += v;
        }
}

void conv2d_direct_8_pack(const struct direct_isa *isa, int planar, const struct step_nodes *s,
                          const struct tensor *t, void *to)
{
    const struct direct d = conv2d_direct_of(&isa->form, planar, s);
    const int64_t taps = d.kernel[0] * d.kernel[1], slots = d.panels * LANES * d.k;
    struct packer p = {.d = &d, .w = t->data, .to = to, .sums = (int32_t *)to + slots};

    for (int64_t o = 0; o < d.panels * LANES; o++)
        p.sums[o] = 0;
    for (int64_t panel = 0; panel < d.panels; panel++)
        for (int64_t b = 0; b < d.blocks; b++) {
            const int64_t c = planar ? 0 : (direct_first(&d, panel) + b / taps) * LANES;
            const int64_t n = b < d.whole ? d.kn : d.kn_last;

            for (int64_t i = 0; i < n; i++)
                pack_slot(&p, panel, c + i * isa->form.per, b % taps);
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
