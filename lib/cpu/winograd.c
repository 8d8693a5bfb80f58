/* winograd.c -- see winograd.h: geometry, cutting and weights; the arithmetic
 * is in conv2d_winograd_body.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/winograd.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

enum { X, WEIGHT, BIAS };

/* Bytes of the second level of cache that V may take; products of floats in
 * the time that memory takes to bring one.  */
enum { V_BYTES = 384 << 10, STREAMED = 20 };

static int64_t up(int64_t n, int64_t d)
{
    return (n + d - 1) / d;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- geometry ---- */

static void tiles_of(struct winograd *g, int64_t side)
{
    g->side = side;
    g->points = (side + 2) * (side + 2);
    for (int i = 0; i < 2; i++)
        g->grid[i] = up(g->out[i], side);
    g->tiles = g->n * g->grid[0] * g->grid[1];
}

/* Products for each number of a filter; at least as many as memory needs the
 * time of to bring the transformed one.  Of one image: the choice changes the
 * result, which must not depend on its neighbours.  */
static int64_t cost(const struct winograd *g, int64_t side)
{
    const int64_t tiles = up(g->out[0], side) * up(g->out[1], side);

    return (side + 2) * (side + 2) * most(tiles, STREAMED);
}

static struct winograd winograd_of(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const int backward = n->dir == DIR_BACKWARD;
    const struct value *out = backward ? n->in[n->n_in - 1] : n->out[0];
    const struct shape x = shape_bind(n->in[X] ? n->in[X]->shape : n->in_shape[X], s->batch);
    const struct shape y = shape_bind(out->shape, s->batch);
    const struct window w = window_of(n, &x, &y);
    struct winograd g = {.n = x.dim[0], .turned = backward};

    g.c = backward ? y.dim[1] : x.dim[1];
    g.o = backward ? x.dim[1] : y.dim[1];
    for (int i = 0; i < 2; i++) {
        g.in[i] = backward ? w.out[i] : w.in[i];
        g.out[i] = backward ? w.in[i] : w.out[i];
        g.pad[i] = backward ? 2 - w.pad[i] : w.pad[i];
    }
    g.planes = up(g.c, LANES);
    g.panels = up(g.o, LANES);
    tiles_of(&g, cost(&g, 4) <= cost(&g, 2) ? 4 : 2);
    return g;
}

int winograd_accepts(const struct step_nodes *s)
{
    static const struct {
        const char *name;
        int64_t value;
    } are[] = {{"kernel", 3}, {"stride", 1}, {"dilation", 1}};
    int count;
    const struct node *n = s->node[0];
    const struct value *w = n->in[WEIGHT];

    for (size_t k = 0; k < COUNT(are); k++)
        for (int i = 0; i < 2; i++)
            if (attr_ints(n, are[k].name, &count)[i] != are[k].value)
                return 0;
    return w && value_is_tensor(w) && attr_int(n, "groups") == 1 && w->shape.dim[1] >= LANES &&
           w->shape.dim[0] >= LANES && (n->dir == DIR_BACKWARD || follow_accepts(s));
}

/* ---- cutting ---- */

/* Strips whose V the cache holds, of much the same size; where the weights
 * outweigh them, tasks share the outputs instead.  */
static void cut(const struct winograd_isa *isa, struct winograd *g, int threads)
{
    const int64_t tile_bytes = g->points * g->planes * LANES * (int64_t)sizeof(float);
    const int64_t u_bytes = g->points * g->c * g->panels * LANES * (int64_t)sizeof(float);
    const int64_t widest = most(V_BYTES / tile_bytes / isa->mr, 1) * isa->mr;
    const int64_t pairs = up(g->panels, isa->panels);

    g->strips = up(g->tiles, widest);
    g->parts = 1;
    if (u_bytes > g->tiles * tile_bytes)
        g->parts = least(pairs, up(threads, g->strips));
    else if (g->strips < 8 * threads)
        g->strips = least(up(g->strips, threads) * threads, up(g->tiles, 4));
    g->strip = up(g->tiles, g->strips);
    g->strips = up(g->tiles, g->strip);
    g->part = up(pairs, g->parts) * isa->panels;
    g->parts = up(g->panels, g->part);
    /* one line more, so that points do not all fall on one set of the cache */
    g->v_point = (g->planes * g->strip + 1) * LANES;
    g->m_point = (isa->panels * g->strip + 1) * LANES;
    g->v_floats = (size_t)(g->points * g->v_point);
    g->thread_floats = g->v_floats + (size_t)(g->points * g->m_point);
}

size_t winograd_scratch(const struct winograd_isa *isa, const struct step_nodes *s, int threads)
{
    struct winograd g = winograd_of(s);

    cut(isa, &g, threads);
    return ((size_t)(2 * g.panels * LANES) + g.thread_floats * (size_t)threads) * sizeof(float);
}

/* ---- weights ---- */

/* G of winograd.h by rows; PART of what is not rational.  */
#define A M_SQRT1_2
#define B M_SQRT2
static const double matrix_2[4][3] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
static const double matrix_4[6][3] = {{1, 0, 0},
                                      {-1 / 1.5, -A / 1.5, -.5 / 1.5},
                                      {-1 / 1.5, A / 1.5, -.5 / 1.5},
                                      {1. / 6, B / 6, 2. / 6},
                                      {1. / 6, -B / 6, 2. / 6},
                                      {0, 0, 1}};
#undef A
#undef B

size_t winograd_pack_bytes(const struct step_nodes *s, int i)
{
    const struct winograd g = winograd_of(s);

    return i == WEIGHT ? (size_t)(g.panels * g.points * g.c * LANES) * sizeof(float) : 0;
}

/* u[point] of one filter W, points STEP apart.  */
static void transform(const struct winograd *g, const float *w, float *u, int64_t step)
{
    const double(*matrix)[3] = g->side == 2 ? matrix_2 : matrix_4;
    double t[6][3];

    for (int i = 0; i < g->side + 2; i++)
        for (int s = 0; s < 3; s++) {
            t[i][s] = 0;
            for (int r = 0; r < 3; r++)
                t[i][s] += matrix[i][r] * w[g->turned ? 8 - 3 * r - s : 3 * r + s];
        }
    for (int i = 0; i < g->side + 2; i++)
        for (int j = 0; j < g->side + 2; j++, u += step)
            *u = (float)(t[i][0] * matrix[j][0] + t[i][1] * matrix[j][1] + t[i][2] * matrix[j][2]);
}

void winograd_pack(const struct step_nodes *s, const struct tensor *t, float *to)
{
    const struct winograd g = winograd_of(s);
    const float *w = t->data;

    memset(to, 0, winograd_pack_bytes(s, WEIGHT));
    for (int64_t o = 0; o < g.o; o++)
        for (int64_t c = 0; c < g.c; c++)
            transform(&g, w + (g.turned ? c * g.o + o : o * g.c + c) * 9,
                      to + (o / LANES * g.points * g.c + c) * LANES + o % LANES, g.c * LANES);
}

/* ---- running ---- */

static void run(const struct winograd_isa *isa, const struct kernel_args *a, struct winograd_run *r)
{
    struct winograd g = winograd_of(a->step);

    cut(isa, &g, pool_threads(a->pool));
    r->g = &g;
    r->u = a->packed[WEIGHT];
    r->scratch = (float *)a->scratch + 2 * g.panels * LANES;
    pool_run(a->pool, g.strips * g.parts, isa->task, r);
}

void winograd_run(const struct winograd_isa *isa, const struct kernel_args *a)
{
    struct winograd_run r = {.x = a->op.in[X].data, .y = a->op.out[0].data};

    r.f = follow_lanes(a, a->op.out[0].shape.dim[1], a->op.in[BIAS].data, a->scratch);
    run(isa, a, &r);
}
