/* winograd.c -- see winograd.h: geometry and cutting; the arithmetic is in
 * conv2d_winograd_body.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/winograd.h"

#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "cpu/biasgrad.h"
#include "cpu/round.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

enum { X, WEIGHT, BIAS };

enum { FLOAT = 4 };

/* Gradients of weights: bytes of the sums of all chunks; tasks wanted; chunks at most.  */
enum { CHUNK_BYTES = 8 << 20, TASKS = 8, MAX_CHUNKS = 16 };

/* Tiles that a task transforms at a time.  For each such strip all its sums are loaded and stored
 * once: with fewer tiles than FEWEST_TILES that is much beside the products, however many fit
 * winograd.grad_bytes.  A task whose sums have more than SUMS_BYTES takes MOST_TILES, so that
 * they pass by as seldom as may be; the transformed tiles grow with that, 2,304 bytes for each
 * tile and 16 channels.  The numbers are those that the kernel came with; whether others were
 * tried is not recorded.  */
enum { FEWEST_TILES = 56, MOST_TILES = 128, SUMS_BYTES = 1 << 20 };

/* ---- geometry ---- */

static void tiles_of(struct winograd *g, int64_t side)
{
    g->side = side;
    g->points = (side + 2) * (side + 2);
    for (int i = 0; i < 2; i++)
        g->grid[i] = up(g->out[i], side);
    g->tiles = g->n * g->grid[0] * g->grid[1];
    g->planes = up(g->c, LANES);
    g->panels = up(g->o, LANES);
}

struct winograd winograd_forward(int64_t side, const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct value *out = n->dir == DIR_BACKWARD ? n->in[n->n_in - 1] : n->out[0];
    const struct shape x = shape_bind(n->in[X] ? n->in[X]->shape : n->in_shape[X], s->batch);
    const struct shape y = shape_bind(out->shape, s->batch);
    const struct window w = window_of(n, &x, &y);
    struct winograd g = {
        .n = x.dim[0], .c = x.dim[1], .o = y.dim[1], .per = 1, .tuning = s->tuning};

    for (int i = 0; i < 2; i++) {
        g.in[i] = w.in[i];
        g.out[i] = w.out[i];
        g.pad[i] = w.pad[i];
    }
    tiles_of(&g, side);
    return g;
}

/* The convolution of dy that gives dx.  */
static struct winograd turn(struct winograd g)
{
    const int64_t side = g.side, c = g.c;

    g.c = g.o;
    g.o = c;
    for (int i = 0; i < 2; i++) {
        const int64_t in = g.in[i];

        g.in[i] = g.out[i];
        g.out[i] = in;
        g.pad[i] = 2 - g.pad[i];
    }
    g.turned = 1;
    tiles_of(&g, side);
    return g;
}

static struct winograd winograd_of(int64_t side, const struct step_nodes *s)
{
    const struct winograd g = winograd_forward(side, s);

    return s->node[0]->dir == DIR_BACKWARD ? turn(g) : g;
}

/* The time for one image, in quarters of a product of floats (of bf16, where the
 * sum is direct, two are done at once): a number of the filter, transformed or
 * not, costs its products, but at least the time it takes to be fetched.  Of one
 * image: the choice changes the result, which must not depend on its neighbours. */
static int64_t cost(const struct winograd *g, int64_t side, int64_t size)
{
    const int64_t points = side ? (side + 2) * (side + 2) : 9;
    const int64_t tiles = side ? up(g->out[0], side) * up(g->out[1], side) : g->out[0] * g->out[1];
    const int64_t each = side ? FLOAT : size, bytes = points * g->c * g->o * each;
    const int far = bytes > tuned(g->tuning, TUNE_WINOGRAD_NEAR_BYTES);

    return points * each *
           most(tiles, tuned(g->tuning, far ? TUNE_WINOGRAD_FAR : TUNE_WINOGRAD_NEAR));
}

/* Is SIDE the cheapest; 0 stands for the direct sum.  Backward it is always 4,
 * where more than so many of a tile's 16 outputs lie inside the map.  */
static int is_cheapest(const struct winograd *g, int64_t side, int backward, int64_t size)
{
    const int64_t here = cost(g, side, size);

    if (backward)
        return g->out[0] * g->out[1] >
               tuned(g->tuning, size == FLOAT ? TUNE_WINOGRAD_LEAST : TUNE_WINOGRAD_LEAST_BF16) *
                   g->grid[0] * g->grid[1];
    return here < cost(g, 0, size) &&
           (side == 4 ? here <= cost(g, 2, size) : here < cost(g, 4, size));
}

int winograd_fits(const struct node *n)
{
    static const struct {
        const char *name;
        int64_t value;
    } are[] = {{"kernel", 3}, {"stride", 1}, {"dilation", 1}};
    int count;

    for (size_t k = 0; k < COUNT(are); k++)
        for (int i = 0; i < 2; i++)
            if (attr_ints(n, are[k].name, &count)[i] != are[k].value)
                return 0;
    return attr_int(n, "groups") == 1;
}

int winograd_accepts(const struct winograd_isa *isa, int64_t side, const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct value *w = n->in[WEIGHT];
    struct winograd g;

    if (!winograd_fits(n) || !w || !value_is_tensor(w) || !writer_accepts(s))
        return 0;
    g = winograd_forward(side, s);
    return g.c >= LANES && g.o >= LANES && g.pad[0] <= 2 && g.pad[1] <= 2 &&
           is_cheapest(&g, side, n->dir == DIR_BACKWARD, isa->size);
}

/* ---- cutting ---- */

/* Floats of a thread: V of PLANES planes, M of PANELS panels, copied rows.  One
 * line more a point, so that points do not all fall on one set of the cache. */
static void place(struct winograd *g, int64_t planes, int64_t panels)
{
    const int64_t run = least(g->strip, g->grid[1]);

    g->v_point = up(planes * g->strip * LANES, g->per) + LANES;
    g->m_point = (panels * g->strip + 1) * LANES;
    g->m_at = (size_t)(g->points * g->v_point);
    g->band_at = g->m_at + (size_t)(g->points * g->m_point);
    g->thread_floats = g->band_at + (size_t)((g->side + 2) * (run * g->side + 2) * LANES);
}

/* Strips of much the same size, few: each reads all weights, for one image from
 * memory, while V and M may as well come from the third cache.  Where the weights
 * outweigh them, tasks share the outputs instead.  */
void winograd_cut(const struct winograd_isa *isa, struct winograd *g, int threads)
{
    const int64_t each = (int64_t)sizeof(float) / g->per;
    const int64_t v_tile = g->planes * each, m_tile = g->panels * (int64_t)sizeof(float);
    const int64_t tile_bytes = g->points * LANES * most(v_tile, m_tile);
    const int64_t u_bytes = g->points * g->c * g->panels * LANES * each;
    const int64_t v_bytes = tuned(g->tuning, TUNE_WINOGRAD_V_BYTES);
    const int64_t tasks = tuned(g->tuning, TUNE_WINOGRAD_TASKS) * threads;
    const int64_t widest = most(v_bytes / tile_bytes / isa->mr, 1) * isa->mr;
    const int64_t pairs = up(g->panels, isa->panels);

    g->strips = up(g->tiles, widest);
    g->parts = 1;
    if (u_bytes > g->tiles * g->points * LANES * v_tile)
        g->parts = least(pairs, up(threads, g->strips));
    else if (g->strips < tasks)
        g->strips = least(round_up(g->strips, threads), up(g->tiles, 4));
    g->strip = up(g->tiles, g->strips);
    g->strips = up(g->tiles, g->strip);
    g->part = up(pairs, g->parts) * isa->panels;
    g->parts = up(g->panels, g->part);
    place(g, g->planes, g->part);
}

static void cut_for(const struct winograd_isa *isa, struct winograd *g, const struct step_nodes *s,
                    int threads)
{
    if (s->n_side)
        g->tuning = NULL;
    winograd_cut(isa, g, writer_threads(s, threads));
}

/* ---- gradients of the weights ---- */

static struct winograd_grad grad_of(const struct step_nodes *s)
{
    struct winograd_grad t = {.g = winograd_forward(4, s)};
    struct winograd *g = &t.g;
    const int64_t plane_bytes = g->points * LANES * g->panels * LANES * (int64_t)sizeof(float);
    const int64_t bytes = g->planes * plane_bytes;
    int64_t tile_bytes;

    t.range = least(g->planes, most(1, tuned(s->tuning, TUNE_WINOGRAD_RANGE_BYTES) / plane_bytes));
    t.ranges = up(g->planes, t.range);
    t.chunks = bytes * MAX_CHUNKS <= CHUNK_BYTES ? MAX_CHUNKS : up(TASKS, t.ranges);
    t.per_chunk = up(g->tiles, least(t.chunks, g->tiles));
    t.chunks = up(g->tiles, t.per_chunk);
    t.sum_floats = (size_t)bytes / sizeof(float);
    tile_bytes = g->points * (t.range + g->panels) * LANES * (int64_t)sizeof(float);
    g->strip = tuned(s->tuning, TUNE_WINOGRAD_GRAD_BYTES) / tile_bytes;
    g->strip = t.range * plane_bytes > SUMS_BYTES ? MOST_TILES
                                                  : least(MOST_TILES, most(FEWEST_TILES, g->strip));
    g->strip = least(g->strip, t.per_chunk);
    place(g, t.range, g->panels);
    return t;
}

static size_t grad_floats(const struct winograd_grad *t, int threads)
{
    return (size_t)t->chunks * t->sum_floats + t->g.thread_floats * (size_t)threads;
}

/* ---- scratch: tables of the readers, then those of the writer, the threads'
 * or the gradient's sums ---- */

static size_t reader_room(const struct step_nodes *s)
{
    const struct winograd g = winograd_forward(4, s);
    size_t floats = 0;

    if (s->lazy & LAZY_X)
        floats += reader_floats(g.c);
    if (s->lazy & LAZY_DY)
        floats += reader_floats(g.o);
    return floats;
}

size_t winograd_scratch(const struct winograd_isa *isa, int64_t side, const struct step_nodes *s,
                        int threads)
{
    struct winograd g = winograd_of(side, s);
    size_t floats;

    cut_for(isa, &g, s, threads);
    floats = writer_floats(s, g.o, g.strips) + g.thread_floats * (size_t)threads;
    if (s->node[0]->dir == DIR_BACKWARD) {
        const struct winograd_grad t = grad_of(s);
        const size_t grad = grad_floats(&t, threads);

        floats = grad > floats ? grad : floats;
    }
    return (reader_room(s) + floats) * sizeof(float);
}

/* ---- weights ---- */

size_t winograd_pack_bytes(int64_t side, const struct step_nodes *s, int i)
{
    const struct winograd g = winograd_of(side, s);

    return i == WEIGHT ? (size_t)(g.panels * g.points * g.c * LANES) * sizeof(float) : 0;
}

void winograd_pack(const struct winograd_isa *isa, int64_t side, const struct step_nodes *s,
                   const struct tensor *t, float *to)
{
    const struct winograd g = winograd_of(side, s);

    isa->pack(&g, t->data, to);
}

/* ---- running ---- */

static void convolve(const struct winograd_isa *isa, int64_t side, const struct kernel_args *a,
                     const struct reader *x, void *y, float *scratch)
{
    struct winograd g = winograd_of(side, a->step);
    struct winograd_run r = {.g = &g, .x = *x, .u = a->packed[WEIGHT]};
    const float *bias = g.turned ? NULL : a->op.in[BIAS].data;

    cut_for(isa, &g, a->step, pool_threads(a->pool));
    r.y = writer_of(a, y, g.o, bias, g.strips, scratch);
    r.scratch = scratch + writer_floats(a->step, g.o, g.strips);
    r.read.size = r.written.size = isa->size;
    ahead_reader(&r.read, &r.x);
    ahead_writer(&r.written, &r.y);
    pool_run(a->pool, g.strips * g.parts, isa->task, &r);
    writer_end(&r.y, a, g.strips);
}

static void backward(const struct winograd_isa *isa, const struct kernel_args *a)
{
    struct winograd_grad t = grad_of(a->step);
    float *scratch = a->scratch;

    t.dy = reader_of(&a->op.dout[0], a->lazy_dy, scratch);
    scratch += a->lazy_dy ? reader_floats(t.g.o) : 0;
    t.x = reader_of(&a->op.in[X], a->lazy_x, scratch);
    scratch += a->lazy_x ? reader_floats(t.g.c) : 0;
    if (a->op.din[X].data)
        convolve(isa, 4, a, &t.dy, a->op.din[X].data, scratch);
    if (a->op.din[BIAS].data)
        bias_grad_run(isa->bias_task, a, &t.dy);
    t.dw = a->op.din[WEIGHT].data;
    t.sums = scratch;
    t.scratch = scratch + (size_t)t.chunks * t.sum_floats;
    if (t.dw) {
        pool_run(a->pool, t.chunks * t.ranges, isa->grad_task, &t);
        pool_run(a->pool, t.g.panels * t.g.planes, isa->reduce_task, &t);
    }
}

void winograd_run(const struct winograd_isa *isa, int64_t side, const struct kernel_args *a)
{
    float *scratch = a->scratch;
    struct reader x;

    if (a->step->node[0]->dir == DIR_BACKWARD) {
        backward(isa, a);
        return;
    }
    x = reader_of(&a->op.in[X], a->lazy_x, scratch);
    scratch += a->lazy_x ? reader_floats(a->op.in[X].shape.dim[1]) : 0;
    convolve(isa, side, a, &x, a->op.out[0].data, scratch);
}
