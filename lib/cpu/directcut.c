/* directcut.c -- how the work of conv2d_direct.h is cut into tasks.
 * SPDX-License-Identifier: MIT  */
#include "cpu/conv2d_direct.h"
#include "cpu/round.h"
#include "graph/tuning.h"

enum { SLOT = 4 };

/* N images are cut into BANDS of units, their outputs into PARTS of panels; a unit
 * is an output row, of flat maps a tile of pixels.  */
struct cut {
    int64_t n, units, bands, parts;
};

static int64_t tasks_of(const struct cut *c)
{
    return c->n * c->bands * c->parts;
}

/* Parts whose weights fit the cache beside the x of a band: GROUP panels.  Every
 * band reads all weights, so there are more, to share them out well, only where x
 * is larger, or one part has all weights.  As many for each thread.  */
static struct cut fit_caches(const struct direct_isa *isa, const struct direct *d, int threads)
{
    const int64_t panel_bytes = most(d->k, 1) * LANES * SLOT;
    const int64_t x_bytes = d->c * d->in[0] * d->in[1] * SLOT / d->per;
    const int64_t fits = tuned(d->tuning, TUNE_DIRECT_GROUP_BYTES) / panel_bytes;
    const int64_t group = most(fits / isa->panels, 1) * isa->panels;
    const int64_t fewest = d->flat ? 4 : tuned(d->tuning, TUNE_DIRECT_FEWEST_ROWS);
    const int64_t wanted = tuned(d->tuning, TUNE_DIRECT_TASKS) * threads;
    struct cut c = {.n = d->n};

    c.parts = up(d->panels, group);
    c.units = d->flat ? up(d->out[0] * d->out[1], isa->mr) : d->out[0];
    c.bands = up(x_bytes, tuned(d->tuning, TUNE_DIRECT_BAND_BYTES));
    if (tasks_of(&c) < wanted && (panel_bytes * d->panels < x_bytes || c.parts == 1))
        c.bands = up(wanted, c.n * c.parts);
    c.bands = most(1, least(c.bands, c.units / fewest));
    if (c.bands > threads)
        c.bands -= c.bands % threads;
    return c;
}

/* At least FEW tasks: of fewer panels, down to one tile of them; then of fewer units,
 * down to one.  */
static void occupy_threads(const struct direct_isa *isa, const struct direct *d, int64_t few,
                           struct cut *c)
{
    if (tasks_of(c) < few)
        c->parts = most(c->parts, least(up(d->panels, isa->panels), up(few, c->n * c->bands)));
    if (tasks_of(c) < few)
        c->bands = most(c->bands, least(c->units, up(few, c->n * c->parts)));
}

void direct_cut(const struct direct_isa *isa, struct direct *d, int threads)
{
    enum { EACH_THREAD = 4 }; /* where one is held up the others take its tasks */
    const int64_t rows = d->flat ? d->out[0] * d->out[1] : d->out[0];
    struct cut c = fit_caches(isa, d, threads);

    occupy_threads(isa, d, EACH_THREAD * threads, &c);
    d->tall = !d->flat && 2 * d->out[1] <= isa->mr;
    d->unit = d->flat ? isa->mr : d->tall ? 2 : 1;
    d->bands = least(c.bands, up(rows, d->unit));
    d->spans = d->n * d->bands % threads ? 1 : threads;
    d->tile = isa->panels;
    d->parts = least(c.parts, up(d->panels, d->tile));
    d->shared = d->copy && d->parts > 1 && d->blocks && !d->planar;
    conv2d_direct_place(d, d->shared ? rows : up(up(rows, d->unit), d->bands) * d->unit);
}

struct direct_task direct_task_of(const struct direct *d, int64_t task)
{
    const int64_t whole = d->flat ? d->out[0] * d->out[1] : d->out[0];
    const int64_t units = up(whole, d->unit), tiles = up(d->panels, d->tile);
    const int64_t each = d->n * d->bands / d->spans; /* bands of images */
    const int64_t span = task / (each * d->parts), part = task / each % d->parts;
    const int64_t at = span * each + task % each, band = at % d->bands;
    struct direct_task t = {.first = piece(units, d->bands, band) * d->unit};

    t.rows = least(piece(units, d->bands, band + 1) * d->unit, whole) - t.first;
    t.image = at / d->bands;
    t.sums = at;
    t.panel = piece(tiles, d->parts, part) * d->tile;
    t.end = least(piece(tiles, d->parts, part + 1) * d->tile, d->panels);
    return t;
}
