/* conv2d_winograd_8.c -- see conv2d_winograd_8.h: choice, packing and tables;
 * the arithmetic is in conv2d_winograd_8_body.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/conv2d_winograd_8.h"

#include <string.h>

#include "base/thread.h"
#include "cpu/conv2d_direct.h"
#include "cpu/round.h"
#include "graph/graph.h"

enum { X, WEIGHT, BIAS };
enum { PER = 2 };

/* 4 x 255 x 128 x 9 MOST_C fits 31 bits.  */
enum { MOST_C = 1827 };

static struct winograd geometry(const struct step_nodes *s)
{
    struct winograd g = winograd_forward(WINOGRAD8_SIDE, s);

    g.per = PER;
    return g;
}

static int64_t slots_of(const struct winograd *g)
{
    return up(g->c, PER);
}

/* ---- the choice ---- */

/* In the time of one step of products, of a slot of one pixel or tile by 16
 * outputs, as measured on a Zen 3: the transforms of 16 channels of a tile;
 * steps that a weight takes to come, of which there are 16 here and 9 in a
 * direct sum.  All images count: whichever kernel is taken, the bits are the
 * same.  From 9 channels and maps of 4 x 4 on this is faster, from 64 twice as
 * fast.  */
enum { INPUT = 16, OUTPUT = 80, FETCH = 6 };

static int is_cheaper(const struct winograd *g)
{
    const int64_t weights = slots_of(g) * g->panels, pixels = g->n * g->out[0] * g->out[1];
    const int64_t direct = 9 * weights * most(pixels, FETCH);
    const int64_t products = g->points * weights * most(g->tiles, FETCH);

    return products + g->tiles * (g->planes * INPUT + g->panels * OUTPUT) < direct;
}

int conv2d_winograd_8_accepts(const struct step_nodes *s)
{
    struct layer_follow f;
    struct winograd g;

    if (!winograd_fits(s->node[0]) || !quant8_layer(s->node[0], X, WEIGHT, BIAS) ||
        quant8_layer_requant(s, &f) < 0)
        return 0;
    g = geometry(s);
    return g.c > DIRECT_PLAIN && g.c <= MOST_C && g.pad[0] <= 2 && g.pad[1] <= 2 && is_cheaper(&g);
}

/* ---- weights ---- */

static int64_t packed_slots(const struct winograd *g)
{
    return g->panels * g->points * slots_of(g) * LANES;
}

size_t conv2d_winograd_8_pack_bytes(const struct step_nodes *s, int i)
{
    const struct winograd g = geometry(s);

    return i == WEIGHT ? (size_t)(packed_slots(&g) + g.panels * LANES) * sizeof(int32_t) : 0;
}

/* 2 G of three numbers STEP apart.  */
static void points_of(const int *w, int step, int *to)
{
    const int a = w[0], b = w[step], c = w[2 * step];

    to[0] = 2 * a;
    to[1] = a + b + c;
    to[2] = a - b + c;
    to[3] = 2 * c;
}

/* The filter W to points STEP apart; returns the sum of its weights.  */
static int32_t pack_filter(const int8_t *w, int16_t *to, int64_t step)
{
    int f[9], t[3][WINOGRAD8_INPUTS], sum = 0;

    for (int i = 0; i < 9; i++)
        sum += f[i] = w[i];
    for (int j = 0; j < 3; j++)
        points_of(f + j, 3, t[j]);
    for (int i = 0; i < WINOGRAD8_INPUTS; i++) {
        int line[WINOGRAD8_INPUTS];

        points_of(&t[0][i], WINOGRAD8_INPUTS, line);
        for (int j = 0; j < WINOGRAD8_INPUTS; j++)
            to[(i * WINOGRAD8_INPUTS + j) * step] = (int16_t)line[j];
    }
    return sum;
}

/* Output O of 16 channels from C on: whose points stay in the first cache for the next
 * output.  */
static int32_t pack_part(const struct winograd *g, const int8_t *w, int64_t o, int64_t c, void *to)
{
    const int64_t point = slots_of(g) * LANES * PER, end = least(c + LANES, g->c);
    int16_t *u = (int16_t *)to + o / LANES * g->points * point + o % LANES * PER;
    int32_t sum = 0;

    for (; c < end; c++, w += 9)
        sum += pack_filter(w, u + c / PER * LANES * PER + c % PER, point);
    return sum;
}

void conv2d_winograd_8_pack(const struct step_nodes *s, int i, const struct tensor *t, void *to)
{
    const struct winograd g = geometry(s);
    int32_t *sums = (int32_t *)to + packed_slots(&g);

    memset(to, 0, conv2d_winograd_8_pack_bytes(s, i));
    for (int64_t panel = 0; panel < g.o; panel += LANES)
        for (int64_t c = 0; c < g.c; c += LANES)
            for (int64_t o = panel; o < least(panel + LANES, g.o); o++)
                sums[o] += pack_part(&g, (const int8_t *)t->data + (o * g.c + c) * 9, o, c, to);
}

/* ---- running ---- */

size_t conv2d_winograd_8_scratch(const struct winograd_isa *isa, const struct step_nodes *s,
                                 int threads)
{
    struct winograd g = geometry(s);

    winograd_cut(isa, &g, threads);
    return ((size_t)store8_table(g.o) + g.thread_floats * (size_t)threads) * sizeof(int32_t);
}

void conv2d_winograd_8_run(const struct winograd_isa *isa, const struct kernel_args *a)
{
    struct winograd g = geometry(a->step);
    struct winograd8_run r = {
        .g = &g, .x = a->op.in[X].data, .slots = slots_of(&g), .u = a->packed[WEIGHT]};
    struct grid8 x = {0};

    winograd_cut(isa, &g, pool_threads(a->pool));
    r.to = store8_of(a, g.o, r.u + packed_slots(&g), a->scratch);
    r.scratch = (int32_t *)a->scratch + store8_table(g.o);
    grid8_operand(a->op.node, X, &x);
    r.outside = x.zero;
    pool_run(a->pool, g.strips * g.parts, isa->task, &r);
}
