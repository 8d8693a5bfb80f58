/* wgrad.c -- see wgrad.h; the products are in conv2d_direct_body.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/wgrad.h"

#include "base/thread.h"
#include "cpu/round.h"

enum { WEIGHT = 1 };

/* Tasks wanted; chunks at most.  */
enum { TASKS = 16, MAX_CHUNKS = 16 };

/* Images, or rows of one, whose x and two groups of dy take PASS bytes.  */
static void cut_passes(struct wgrad *g, int64_t pass)
{
    const struct direct *d = &g->d;
    const int64_t in_row = d->stride[0] * d->stride[1] * (d->planar ? d->c : g->range * LANES);
    const int64_t bytes = d->out[1] * (in_row + 2 * LANES) * (int64_t)sizeof(float);

    g->band = most(1, least(d->out[0], pass / bytes));
    g->images = g->band < d->out[0] ? 1 : most(1, pass / (bytes * d->out[0]));
    g->images = least(g->images, g->per_chunk);
}

/* Pairs of pixels must not cross from one pass to the next.  */
static int may_share(const struct wgrad *g, int64_t step)
{
    return g->ranges > 1 &&
           (!g->d.flat || g->band == g->d.out[0] || g->band * g->d.out[1] % step == 0);
}

/* Rows lie behind each other in flat maps, as in place().  */
static void place_dy(struct wgrad *g, int64_t step)
{
    const struct direct *d = &g->d;
    const int64_t rows = d->flat ? 1 : d->out[0], pixels = d->flat ? d->out[0] : 1;

    if (!may_share(g, step)) {
        g->dy_floats =
            (size_t)(g->images * d->panels * g->band * (up(d->out[1], step) + 1) * LANES);
        return;
    }
    g->dy_step = step;
    g->dy_row = up(pixels * d->out[1], step) * LANES;
    g->dy_panel = rows * g->dy_row;
    g->all_floats = (size_t)(d->n * d->panels * g->dy_panel);
}

static struct wgrad wgrad_of(const struct direct_isa *isa, int planar, const struct step_nodes *s)
{
    const struct direct_form form = {1, isa->form.per == 1 && isa->form.in_place, 0};
    struct wgrad g = {.d = conv2d_direct_of(&form, planar, s)};
    struct direct *d = &g.d;
    const int64_t taps = d->kernel[0] * d->kernel[1];

    g.groups = planar ? 1 : up(d->c, LANES);
    g.group_rows = planar ? d->c * taps : taps * LANES;
    g.span = d->groups == 1 ? g.groups : d->span;
    g.rows = up(g.span * g.group_rows, isa->wgrad_rows) * isa->wgrad_rows;
    g.range = least(g.groups, most(1, tuned(s->tuning, TUNE_WGRAD_RANGE_ROWS) / g.group_rows));
    g.ranges = up(g.groups, g.range);
    g.chunks = least(d->n, least(MAX_CHUNKS, up(TASKS, g.ranges)));
    g.per_chunk = up(d->n, g.chunks);
    g.chunks = up(d->n, g.per_chunk);
    g.x_group = d->in[0] * d->in[1] * LANES;
    g.x_image = planar ? d->c * d->in[0] * d->in[1] : g.groups * g.x_group;
    cut_passes(&g, tuned(s->tuning, TUNE_WGRAD_PASS_BYTES));
    conv2d_direct_place(d, d->flat ? g.band * d->out[1] : g.band);
    g.plane = d->plane;
    g.copy_floats = d->copy ? (size_t)round_up(g.images * g.range * g.plane + LANES, LANES) : 0;
    if (s->lazy & LAZY_DY || !form.in_place)
        place_dy(&g, isa->wgrad_step);
    g.part_floats = (size_t)(d->panels * g.rows * LANES);
    return g;
}

size_t wgrad_scratch(const struct direct_isa *isa, int planar, const struct step_nodes *s,
                     int threads)
{
    const struct wgrad g = wgrad_of(isa, planar, s);

    return g.part_floats * (size_t)g.chunks + g.all_floats +
           (g.copy_floats + g.dy_floats) * (size_t)threads;
}

int64_t wgrad_window(const struct wgrad *g, int64_t panel)
{
    return g->d.groups == 1 ? 0 : direct_first(&g->d, panel) * g->group_rows;
}

int64_t wgrad_row(const struct wgrad *g, int64_t row)
{
    const struct direct *d = &g->d;
    const int64_t taps = d->kernel[0] * d->kernel[1], last = g->groups * g->group_rows - 1;
    const int64_t each = d->planar ? 1 : LANES;

    row = row < last ? row : last;
    const int64_t c = row % each, tap = row / each % taps, plane = row / each / taps;
    const int64_t h = tap / d->kernel[1] * d->dil[0], w = tap % d->kernel[1] * d->dil[1];
    const int64_t down = (h % d->stride[0] * d->each[0] + h / d->stride[0]) * d->row;

    if (d->planar) /* a plane is a channel */
        return down + w * d->c + plane;
    return plane * d->plane + down + (w % d->stride[1] * d->each[1] + w / d->stride[1]) * d->pixel +
           c;
}

/* ---- passes ---- */

/* Dy where it is stored, or computed for all.  */
static void find_dy(const struct wgrad_run *r, struct wgrad_pass *q, int64_t row)
{
    const struct wgrad *g = r->g;
    const int64_t line = g->d.out[1] * LANES;

    q->dy_row = g->all_floats ? g->dy_row : line;
    q->dy_panel = g->all_floats ? g->dy_panel : g->d.out[0] * line;
    q->dy_image = g->d.panels * q->dy_panel;
    if (g->all_floats)
        q->dy = r->all + q->image * q->dy_image +
                (g->d.flat ? q->first / g->dy_step * LANES : row * q->dy_row);
    else if (!g->dy_floats)
        q->dy = (const float *)r->dy.x + q->image * q->dy_image + q->first * LANES;
}

static void place(const struct wgrad_run *r, struct wgrad_pass *q)
{
    const struct wgrad *g = r->g;
    const int64_t row = q->first / g->d.out[1];

    q->images = least(g->images, q->end - q->image);
    q->rows = least(g->band, g->d.out[0] - row);
    q->pixels = g->d.out[1];
    if (!g->d.copy)
        q->x = (const float *)r->x.x + q->image * g->x_image + q->group * g->x_group +
               q->first * LANES;
    q->x_image = g->d.copy ? q->groups * g->plane : g->x_image;
    find_dy(r, q, row);
    if (g->d.flat) { /* rows lie behind each other */
        q->pixels *= q->rows;
        q->rows = 1;
    }
}

struct wgrad_pass wgrad_first(const struct wgrad_run *r, int64_t task)
{
    const struct wgrad *g = r->g;
    const int64_t chunk = task / g->ranges, range = task % g->ranges;
    struct wgrad_pass q = {.image = chunk * g->per_chunk, .group = range * g->range, .start = 1};

    q.end = least(q.image + g->per_chunk, g->d.n);
    q.groups = least(g->range, g->groups - q.group);
    q.row = q.group * g->group_rows;
    q.row_end = q.row + q.groups * g->group_rows;
    q.sum = r->part + (size_t)chunk * g->part_floats;
    place(r, &q);
    return q;
}

void wgrad_next(const struct wgrad_run *r, struct wgrad_pass *q)
{
    const struct wgrad *g = r->g;

    q->start = 0;
    q->first += g->band * g->d.out[1];
    if (q->first >= g->d.out[0] * g->d.out[1]) {
        q->first = 0;
        q->image += q->images;
    }
    if (q->image < q->end)
        place(r, q);
    else
        q->images = 0;
}

/* ---- adding up ---- */

struct reduce {
    const struct wgrad *g;
    const float *part;
    float *dw;
};

/* The sums of N numbers over all chunks, N <= LANES LANES.  */
static void add_chunks(const struct reduce *t, const float *from, int64_t n, float *to)
{
    double sum[LANES * LANES] = {0};

    for (int64_t k = 0; k < t->g->chunks; k++, from += t->g->part_floats)
        for (int64_t i = 0; i < n; i++)
            sum[i] += from[i];
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)sum[i];
}

/* The weights of one group of outputs: one tap of one group of channels (a plain
 * channel) at a time; products of channels that are not of an output's group
 * are left out.  */
static void reduce_task(void *ctx, int64_t panel, int thread)
{
    const struct reduce *t = ctx;
    const struct wgrad *g = t->g;
    const int64_t taps = g->d.kernel[0] * g->d.kernel[1], each = g->d.planar ? 1 : LANES;
    const int64_t c = g->d.c / g->d.groups, o = g->d.o / g->d.groups;
    const int64_t end = least((panel + 1) * LANES, g->d.o), window = wgrad_window(g, panel);
    float sum[LANES * LANES];

    (void)thread;
    for (int64_t row = 0; row < g->span * g->group_rows; row += each) {
        const int64_t first = (window + row) / each / taps * each, tap = row / each % taps;
        const int64_t channels = least(each, g->d.c - first);

        add_chunks(t, t->part + (panel * g->rows + row) * LANES, channels * LANES, sum);
        for (int64_t i = panel * LANES; i < end; i++) {
            const int64_t from = i / o * c, to = least(from + c, first + channels);

            for (int64_t j = most(first, from); j < to; j++)
                t->dw[(i * c + j - from) * taps + tap] =
                    sum[(j - first) * LANES + i - panel * LANES];
        }
    }
}

float *wgrad_begin(const struct direct_isa *isa, int planar, const struct kernel_args *a,
                   const struct reader *x, const struct reader *dy, float *scratch, struct wgrad *g,
                   struct wgrad_run *r)
{
    const int threads = pool_threads(a->pool);

    *g = wgrad_of(isa, planar, a->step);
    *r = (struct wgrad_run){.g = g, .x = *x, .dy = *dy, .part = scratch};
    r->all = r->part + g->part_floats * (size_t)g->chunks;
    r->scratch = r->all + g->all_floats;
    if (g->all_floats)
        pool_run(a->pool, g->d.n * g->d.panels, isa->wgrad_dy, r);
    if (g->all_floats && isa->wgrad_step == 1) /* a slot is a number */
        r->dy = (struct reader){.kind = READ_PLAIN, .x = r->all};
    return scratch + wgrad_scratch(isa, planar, a->step, threads);
}

int wgrad_joins(const struct wgrad_run *r, const struct direct *dx, int threads)
{
    const struct wgrad *g = r->g;
    const int busy = g->chunks % threads == 0 || g->chunks >= 4 * threads;

    return busy && g->ranges == 1 && dx->parts == 1 && !g->d.planar && g->d.stride[0] == 1 &&
           g->d.stride[1] == 1;
}

void wgrad_run(const struct direct_isa *isa, const struct kernel_args *a, const struct wgrad_run *r)
{
    const struct wgrad *g = r->g;
    struct reduce t = {g, r->part, a->op.din[WEIGHT].data};

    pool_run(a->pool, g->chunks * g->ranges, isa->wgrad, (void *)r);
    pool_run(a->pool, g->d.panels, reduce_task, &t);
}
