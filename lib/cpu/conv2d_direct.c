/* conv2d_direct.c -- see conv2d_direct.h: geometry, cutting and packing; the
 * arithmetic is in conv2d_direct_body.h.
 * SPDX-License-Identifier: MIT  */
#include "cpu/conv2d_direct.h"

#include <string.h>

#include "base/thread.h"
#include "graph/attr.h"
#include "graph/graph.h"
#include "op/window.h"

enum { X, WEIGHT, BIAS };

/* Bytes of the second level of cache that a task's rows of x, and the weights
 * that pass over them at once, may take.  */
enum { BAND_BYTES = 256 << 10, GROUP_BYTES = 320 << 10 };

enum { PLANAR_CHANNELS = 4, FEWEST_ROWS = 2 };

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

static void blocks_of(struct direct *d)
{
    const int64_t taps = d->kernel[0] * d->kernel[1];

    d->k = d->c * taps;
    d->kn = d->planar ? 1 : LANES;
    d->kn_last = d->c % d->kn ? d->c % d->kn : d->kn;
    d->blocks = up(d->c, d->kn) * taps;
    d->whole = d->kn_last == d->kn ? d->blocks : d->blocks - taps;
}

static struct direct direct_of(int planar, const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape x = shape_bind(n->in[X]->shape, s->batch);
    const struct shape y = shape_bind(n->out[0]->shape, s->batch);
    const struct window w = window_of(n, &x, &y);
    struct direct d = {.n = x.dim[0], .c = x.dim[1], .o = y.dim[1], .planar = planar};

    for (int i = 0; i < 2; i++) {
        d.in[i] = w.in[i];
        d.out[i] = w.out[i];
        d.kernel[i] = w.kernel[i];
        d.stride[i] = w.stride[i];
        d.dil[i] = w.dilation[i];
        d.pad[i] = w.pad[i];
    }
    d.panels = up(d.o, LANES);
    d.pixel = planar ? 1 : LANES;
    d.copy = planar;
    for (int i = 0; i < 2; i++)
        d.copy |= d.kernel[i] != 1 || d.stride[i] != 1 || d.in[i] != d.out[i];
    blocks_of(&d);
    return d;
}

static int64_t channel_groups(const struct direct *d)
{
    return d->planar ? d->c : up(d->c, LANES);
}

/* ---- cutting ---- */

/* Of a copy of ROWS output rows.  */
static void place_copy(struct direct *d, int64_t rows)
{
    for (int i = 0; i < 2; i++) {
        const int64_t outputs = i ? d->out[1] : rows;

        d->remainders[i] = d->kernel[i] == 1 ? 1 : d->stride[i];
        d->each[i] = outputs + (d->kernel[i] - 1) * d->dil[i] / d->stride[i];
    }
    d->row = d->remainders[1] * d->each[1] * d->pixel;
    d->plane = d->remainders[0] * d->each[0] * d->row;
    if (!d->copy) {
        d->row = 0;
        d->plane = d->in[0] * d->in[1] * d->pixel;
    }
    d->copy_floats = d->copy ? (size_t)(channel_groups(d) * d->plane + LANES) : 0;
}

/* Bands of rows whose input fits the cache, and enough tasks for THREADS.  */
static void cut(const struct direct_isa *isa, struct direct *d, int threads)
{
    const int64_t panel_bytes = d->k * LANES * (int64_t)sizeof(float);
    const int64_t row_bytes = d->c * d->in[0] * d->in[1] * (int64_t)sizeof(float);
    const int64_t units = d->copy ? d->out[0] : up(d->out[0] * d->out[1], isa->mr);
    const int64_t fewest = d->copy ? FEWEST_ROWS : 4;
    int64_t parts, bands = up(row_bytes, BAND_BYTES);

    d->group = most(GROUP_BYTES / panel_bytes / isa->panels, 1) * isa->panels;
    parts = up(d->panels, d->group);
    if (d->n * parts * bands < 4 * threads && panel_bytes * d->panels < row_bytes)
        bands = up(4 * threads, d->n * parts);
    bands = most(1, least(bands, units / fewest));
    if (d->n * parts * bands < 2 * threads)
        parts = most(parts, least(up(d->panels, isa->panels), up(2 * threads, d->n * bands)));
    if (d->n * parts * bands < 2 * threads)
        bands = most(bands, least(units, up(2 * threads, d->n * parts)));
    d->band = up(units, bands) * (d->copy ? 1 : isa->mr);
    d->bands = up(d->copy ? d->out[0] : d->out[0] * d->out[1], d->band);
    d->part = up(up(d->panels, parts), isa->panels) * isa->panels;
    d->parts = up(d->panels, d->part);
    place_copy(d, d->band);
}

struct direct_task direct_task_of(const struct direct *d, int64_t task)
{
    const int64_t whole = d->copy ? d->out[0] : d->out[0] * d->out[1];
    struct direct_task t = {.first = task % d->bands * d->band};

    t.rows = least(d->band, whole - t.first);
    t.image = task / d->bands % d->n;
    t.panel = task / d->bands / d->n * d->part;
    t.end = least(t.panel + d->part, d->panels);
    return t;
}

/* ---- the record's functions ---- */

static int accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct value *w = n->in[WEIGHT];

    return value_is_tensor(w) && attr_int(n, "groups") == 1 && follow_accepts(s);
}

int conv2d_direct_accepts(const struct step_nodes *s)
{
    return accepts(s) && s->node[0]->in[X]->shape.dim[1] > PLANAR_CHANNELS;
}

int conv2d_direct_accepts_plain(const struct step_nodes *s)
{
    return accepts(s) && s->node[0]->in[X]->shape.dim[1] <= PLANAR_CHANNELS;
}

static int64_t off_floats(const struct direct *d)
{
    return up(d->blocks, LANES) * LANES;
}

/* Shared: offsets of the blocks, scale and shift; then a copy a thread.  */
size_t conv2d_direct_scratch(const struct direct_isa *isa, int planar, const struct step_nodes *s,
                             int threads)
{
    struct direct d = direct_of(planar, s);

    cut(isa, &d, threads);
    d.copy_floats = (size_t)up((int64_t)d.copy_floats, LANES) * LANES;
    return ((size_t)(off_floats(&d) + 2 * d.panels * LANES) + d.copy_floats * (size_t)threads) *
           sizeof(float);
}

size_t conv2d_direct_pack_bytes(int planar, const struct step_nodes *s, int i)
{
    const struct direct d = direct_of(planar, s);

    return i == WEIGHT ? (size_t)(d.panels * LANES * d.k) * sizeof(float) : 0;
}

/* W[o][c][r][s] as [o/16][c/16][r][s][c][o].  */
void conv2d_direct_pack(int planar, const struct step_nodes *s, const struct tensor *t, float *to)
{
    const struct direct d = direct_of(planar, s);
    const int64_t taps = d.kernel[0] * d.kernel[1];
    const float *w = t->data;

    for (int64_t panel = 0; panel < d.panels; panel++)
        for (int64_t c0 = 0; c0 < d.c; c0 += d.kn)
            for (int64_t tap = 0; tap < taps; tap++)
                for (int64_t c = c0; c < least(c0 + d.kn, d.c); c++)
                    for (int64_t o = panel * LANES; o < (panel + 1) * LANES; o++)
                        *to++ = o < d.o ? w[(o * d.c + c) * taps + tap] : 0;
}

static void fill_offsets(const struct direct *d, int32_t *off)
{
    for (int64_t g = 0; g < channel_groups(d); g++)
        for (int64_t r = 0; r < d->kernel[0]; r++)
            for (int64_t s = 0; s < d->kernel[1]; s++) {
                const int64_t h = r * d->dil[0], w = s * d->dil[1];
                const int64_t row = h % d->stride[0] * d->each[0] + h / d->stride[0];
                const int64_t col = w % d->stride[1] * d->each[1] + w / d->stride[1];

                *off++ = (int32_t)(g * d->plane + row * d->row + col * d->pixel);
            }
}

void conv2d_direct_run(const struct direct_isa *isa, int planar, const struct kernel_args *a)
{
    struct direct d = direct_of(planar, a->step);
    struct direct_run r = {.d = &d, .x = a->op.in[X].data, .y = a->op.out[0].data};
    int32_t *off = a->scratch;
    float *table;

    cut(isa, &d, pool_threads(a->pool));
    d.copy_floats = (size_t)up((int64_t)d.copy_floats, LANES) * LANES;
    fill_offsets(&d, off);
    table = (float *)a->scratch + off_floats(&d);
    r.f = follow_lanes(a, d.o, a->op.in[BIAS].data, table);
    r.off = off;
    r.w = a->packed[WEIGHT];
    r.scratch = table + 2 * d.panels * LANES;
    pool_run(a->pool, d.n * d.bands * d.parts, isa->task, &r);
}
