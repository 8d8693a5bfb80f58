/* conv2d_direct_body.h -- see conv2d_direct.h; compiled once per instruction
 * set.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "cpu/conv2d_direct.h"
#include "cpu/directcopy.h"
#include "cpu/kernels.h"
#include "cpu/lanes.h"
#include "cpu/outer.h"
#include "cpu/round.h"
#include "cpu/wgrad.h"

/* Rows of the product of gradients at once, at most; and of plain x.  */
#if defined(__AVX512F__)
enum { WGRAD_ROWS = 8, PLAIN_ROWS = 8 };
#elif defined(__AVX2__)
enum { WGRAD_ROWS = 6, PLAIN_ROWS = 4 };
#else
enum { WGRAD_ROWS = 4, PLAIN_ROWS = 4 };
#endif

#if defined(__AVX512BF16__)
#    include "cpu/direct_pairs.inc"
#else
#    include "cpu/direct_wide.inc"
#endif

INLINE const struct direct_f32 *run_f32(const struct direct_run *r)
{
    return (const struct direct_f32 *)r;
}

INLINE void copy_of(const struct direct_run *r, struct direct_copy *c)
{
    c->line = copy_line;
    c->plain = copy_plain;
    c->ctx = &run_f32(r)->x;
}

#define start(r, t, v) VF0

/* ---- storing ---- */

/* The vectors of a tile, which are more than simple.  */
static void store_rest(const struct direct_run *r, const struct direct_tile *t, int m, int panels,
                       float (*a)[MR * VL])
{
    const struct writer *w = &run_f32(r)->y;
    const int64_t area = r->d->map[0] * r->d->map[1] * LANES, step = r->d->map_step[1] * LANES;
    const int rows = t->y_gap ? 2 : 1;
    struct lanes_block b = {.rows = rows, .n = m / rows, .step = step};

    b.row = b.n * step + t->y_gap;
    for (int v = 0; v < panels * PV; v++) {
        const int64_t lane = t->panel * LANES + v * VL;
        vf sum[STEP_SIDES][WRITER_SUMS] = {{VF0, VF0}, {VF0, VF0}};

        b.at = t->at + v / PV * area + v % PV * VL;
        b.lane = lane;
        lanes_put(w, &b, a[v], sum);
        lanes_sums(w, t->sums, lane, sum);
    }
}

/* Sums that are more than simple.  */
INLINE void store_more(const int m, const int panels, const struct direct_run *r,
                       const struct direct_tile *t, vf (*a)[MR])
{
    const struct writer *w = &run_f32(r)->y;
    const int64_t area = r->d->map[0] * r->d->map[1] * LANES, step = r->d->map_step[1] * LANES;
    float rest[PANELS * PV][MR * VL];

    if (!r->d->blocks && !w->add.x) { /* nothing reaches there, backward */
        EACH (v, panels * PV)
            EACH (i, m)
                elem_store((elem *)w->y + t->at + v / PV * area + i * step +
                               (i < m / 2 ? 0 : t->y_gap) + v % PV * VL,
                           VF0);
        return;
    }
    if (w->measured) {
        EACH (v, panels * PV) {
            const int64_t at = t->at + v / PV * area + v % PV * VL;
            const int64_t lane = t->panel * LANES + v * VL;
            vf sum[1][WRITER_SUMS] = {{VF0, VF0}};

            lanes_store_measured(m, w, at, step, t->y_gap, lane, a[v], sum[0]);
            lanes_sums(w, t->sums, lane, sum);
        }
        return;
    }
    EACH (v, panels * PV)
        EACH (i, m)
            vf_store(rest[v] + i * VL, a[v][i]);
    store_rest(r, t, m, panels, rest);
}

/* What a strip of tiles takes from its run for this.  */
struct finish {
    struct lanes_end end;
    int64_t area, step; /* numbers */
};

INLINE struct finish finish_of(const struct direct_run *r)
{
    return (struct finish){lanes_end(&run_f32(r)->y), r->d->map[0] * r->d->map[1] * LANES,
                           r->d->map_step[1] * LANES};
}

/* No activation that is long, and neighbouring pixels.  */
INLINE int store_is_simple(const struct direct_run *r)
{
    const struct writer *w = &run_f32(r)->y;

    return lanes_simple(w) && !act_is_curved(w->f.act) && r->d->map_step[1] == 1;
}

INLINE void store_simple(const int m, const int panels, const struct finish *f,
                         const struct direct_tile *t, vf (*a)[MR])
{
    EACH (v, panels * PV)
        lanes_store(m, &f->end, t->at + v / PV * f->area + v % PV * VL, LANES, 0,
                    t->panel * LANES + v * VL, a[v]);
}

INLINE void store(const int m, const int panels, const struct direct_run *r, const struct finish *f,
                  const struct direct_tile *t, vf (*a)[MR])
{
    const struct writer *w = &run_f32(r)->y;

    if (!lanes_simple(w)) {
        store_more(m, panels, r, t, a);
        return;
    }
    EACH (v, panels * PV)
        lanes_store(m, &f->end, t->at + v / PV * f->area + v % PV * VL, f->step, t->y_gap,
                    t->panel * LANES + v * VL, a[v]);
    for (int p = 0; act_is_curved(w->f.act) && p < panels; p++)
        lanes_activate(w, t->at + p * f->area, m * LANES);
}

/* What tile T will write, and read for that.  */
INLINE void ahead_tile(const int m, const int panels, const int simple, const struct direct_run *r,
                       const struct finish *f, const struct direct_tile *t)
{
    const int64_t n = m * (simple ? LANES : f->step);

    for (int p = 0; p < panels; p++)
        ahead_numbers(&run_f32(r)->written, t->at + p * f->area, n);
}

#include "cpu/direct.inc"

/* ---- gradients of the weights ---- */

/* x of the first step of a row and one number of each row of the product; dy
 * of the same step.  */
struct stretch {
    const slot *x, *dy;
    const slot *row[WGRAD_ROWS]; /* plain x: where each row begins */
    int64_t dy_panel, n;         /* slots; steps */
    int64_t step;                /* slots of plain x */
};

INLINE void products(const int nv, const int rows, const int plain, const struct stretch *s,
                     vf (*a)[WGRAD_ROWS])
{
    for (int64_t j = 0; j < s->n; j++) {
        const slot *dy = s->dy + j * LANES;
        vf b[PANELS * PV];

        EACH (v, nv)
            b[v] = grad_load(dy + v / PV * s->dy_panel + v % PV * VL);
        EACH (i, rows) {
            const vf p = grad_all(plain ? s->row[i][j * s->step] : s->x[j * STEP * LANES + i]);

            EACH (v, nv)
                a[v][i] = grad_mac(p, b[v], a[v][i]);
        }
    }
}

/* What one pass over the images at hand adds to ROWS rows.  */
INLINE void pass(const int nv, const int rows, const int plain, const struct wgrad *g,
                 const struct wgrad_pass *q, int64_t row, int64_t panel)
{
    const int64_t size = g->rows * LANES;
    float *sum = q->sum + panel * size + (row - q->window) * LANES;
    int64_t place[WGRAD_ROWS];
    vf a[PANELS * PV][WGRAD_ROWS];

    for (int k = 0; k < (plain ? rows : 1); k++)
        place[k] = wgrad_row(g, row - (plain ? 0 : q->row) + k);
    EACH (v, nv)
        EACH (i, rows)
            a[v][i] = VF0;
    for (int64_t m = 0; m < q->images; m++)
        for (int64_t i = 0; i < q->rows; i++) {
            const slot *x = (const slot *)q->x + m * q->x_image + i * g->d.row;
            struct stretch s = {.dy_panel = q->dy_panel, .n = (q->pixels + STEP - 1) / STEP};

            s.dy = (const slot *)q->dy + m * q->dy_image + panel * q->dy_panel + i * q->dy_row;
            s.x = x + place[0];
            s.step = STEP * g->d.pixel;
            for (int k = 0; plain && k < rows; k++)
                s.row[k] = x + place[k];
            products(nv, rows, plain, &s, a);
        }
    EACH (v, nv)
        EACH (i, rows) {
            float *to = sum + v / PV * size + i * LANES + v % PV * VL;

            if (!q->start)
                a[v][i] = a[v][i] + vf_load(to);
            vf_store(to, a[v][i]);
        }
}

typedef void pass_fn(const struct wgrad *g, const struct wgrad_pass *q, int64_t row, int64_t panel);

/* clang-format off */
#define PASS(name, nv, rows, plain) \
    static void name(const struct wgrad *g, const struct wgrad_pass *q, int64_t row, int64_t panel) \
    { \
        pass(nv, rows, plain, g, q, row, panel); \
    }
#define ROWS(n) PASS(pass_##n, PANELS * PV, n, 0) PASS(pass_last_##n, PV, n, 0)
#define PART(n) {n, {pass_last_##n, pass_##n}}

#if defined(__AVX512F__)
ROWS(8)
#define PARTS PART(8), PART(8)
#elif defined(__AVX2__)
ROWS(5) ROWS(6)
#define PARTS PART(6), PART(5), PART(5)
#else
ROWS(4)
#define PARTS PART(4), PART(4), PART(4), PART(4)
#endif

PASS(pass_plain, PANELS * PV, PLAIN_ROWS, 1)
PASS(pass_last_plain, PV, PLAIN_ROWS, 1)
/* clang-format on */

/* The 16 rows of a tap and group of channels: with as many sums as registers
 * hold.  */
static const struct {
    int rows;
    pass_fn *of[2]; /* by whole */
} parts[] = {PARTS};

/* All rows of PANEL, or of PANELS of them if WHOLE.  */
static void all_rows(const struct wgrad *g, const struct wgrad_pass *q, int64_t panel, int whole)
{
    const int64_t end = least(q->row_end, q->window + g->rows);

    for (int64_t row = most(q->row, q->window); row < end;)
        if (g->d.planar) {
            (whole ? pass_plain : pass_last_plain)(g, q, row, panel);
            row += PLAIN_ROWS;
        } else {
            for (size_t k = 0; k < COUNT(parts); row += parts[k++].rows)
                parts[k].of[whole](g, q, row, panel);
        }
}

/* X of the images at hand, with its padding.  */
static void copy_x(const struct wgrad_run *r, struct wgrad_pass *q, slot *to)
{
    const struct wgrad *g = r->g;
    const struct direct_copy c = {&g->d, grad_line, grad_plain, &r->x, STEP > 1, 0};

    for (int64_t m = 0; m < q->images; m++) {
        const int64_t at = (q->image + m) * g->x_image + q->group * g->x_group;
        uint32_t *here = (uint32_t *)to + m * q->x_image;

        if (g->d.flat)
            direct_copy_flat(&c, at, q->group, q->first, q->pixels, q->groups, here);
        else
            direct_copy_band(&c, at, q->group, q->first / g->d.out[1], q->groups, here);
    }
    q->x = to;
}

/* The gradients of the images at hand.  */
static void copy_dy(const struct wgrad_run *r, struct wgrad_pass *q, slot *to)
{
    const struct wgrad *g = r->g;
    const int64_t area = g->d.out[0] * g->d.out[1] * LANES;

    q->dy = to;
    q->dy_row = (q->pixels + STEP - 1) / STEP * LANES;
    q->dy_panel = q->rows * q->dy_row;
    q->dy_image = g->d.panels * q->dy_panel;
    for (int64_t m = 0; m < q->images; m++)
        for (int64_t p = 0; p < g->d.panels; p++)
            for (int64_t i = 0; i < q->rows; i++, to += q->dy_row)
                dy_line(&r->dy,
                        ((q->image + m) * g->d.panels + p) * area +
                            (q->first + i * q->pixels) * LANES,
                        p, q->pixels, 1, (uint32_t *)to);
}

/* All gradients of one image and panel, for every range.  */
static void wgrad_dy(void *run, int64_t task, int thread)
{
    const struct wgrad_run *r = run;
    const struct wgrad *g = r->g;
    const int64_t area = g->d.out[0] * g->d.out[1];
    const int64_t rows = g->d.flat ? 1 : g->d.out[0], pixels = area / rows;
    float *to = r->all + task * g->dy_panel;

    (void)thread;
    for (int64_t i = 0; i < rows; i++)
        dy_line(&r->dy, (task * area + i * pixels) * LANES, task % g->d.panels, pixels, 1,
                (uint32_t *)(to + i * g->dy_row));
}

/* The gradients of x that need no more of dy than pass Q and those before it
 * have read, from band *BAND on.  */
static void dx_behind(const struct wgrad_run *r, const struct wgrad_pass *q, int64_t *band,
                      int thread)
{
    const struct direct *d = r->dx->d;
    const int64_t end = q->first + q->rows * q->pixels, each = d->flat ? 1 : d->out[1];
    const int last = end >= r->g->d.out[0] * r->g->d.out[1];

    for (int64_t image = q->image; image < q->image + q->images; image++) {
        *band = q->first ? *band : 0;
        for (; *band < d->bands; ++*band) {
            const int64_t i = image * d->bands + *band;
            const struct direct_task t = direct_task_of(d, i);

            if (!last && (t.first + t.rows) * each > end)
                break;
            task((void *)r->dx, i, thread);
        }
    }
}

static void wgrad_task(void *run, int64_t task, int thread)
{
    const struct wgrad_run *r = run;
    const struct wgrad *g = r->g;
    slot *copy = (slot *)(r->scratch + (size_t)thread * (g->copy_floats + g->dy_floats));
    int64_t band = 0;

    for (struct wgrad_pass q = wgrad_first(r, task); q.images; wgrad_next(r, &q)) {
        if (g->d.copy)
            copy_x(r, &q, copy);
        if (g->dy_floats)
            copy_dy(r, &q, copy + g->copy_floats);
        for (int64_t panel = 0, n; panel < g->d.panels; panel += n) {
            const int whole = g->d.groups == 1 && panel + PANELS <= g->d.panels;

            q.window = wgrad_window(g, panel);
            n = whole ? PANELS : 1;
            all_rows(g, &q, panel, whole);
        }
        if (r->dx)
            dx_behind(r, &q, &band, thread);
    }
}

/* ---- records ---- */

static const struct direct_isa isa = {
    .mr = MR,
    .panels = PANELS,
    .form = {PER, IN_PLACE, sizeof(elem)},
    .copy = copy_shared,
    .task = task,
    .wgrad = wgrad_task,
    .wgrad_dy = wgrad_dy,
    .bias = lanes_bias,
    .pack = pack_block,
    .wgrad_rows = PLAIN_ROWS,
    .wgrad_step = STEP,
};

#define RECORD(name, planar)                                                                     \
    static size_t scratch_##name(const struct step_nodes *s, int threads)                        \
    {                                                                                            \
        return conv2d_direct_scratch(&isa, planar, s, threads);                                  \
    }                                                                                            \
    static size_t pack_bytes_##name(const struct step_nodes *s, int i)                           \
    {                                                                                            \
        return conv2d_direct_pack_bytes(&isa, planar, s, i);                                     \
    }                                                                                            \
    static void pack_##name(const struct step_nodes *s, int i, const struct tensor *t, void *to) \
    {                                                                                            \
        (void)i;                                                                                 \
        conv2d_direct_pack(&isa, planar, s, t, to);                                              \
    }                                                                                            \
    static void run_##name(const struct kernel_args *a)                                          \
    {                                                                                            \
        conv2d_direct_run(&isa, planar, a);                                                      \
    }                                                                                            \
    static void together_##name(const void *siblings)                                            \
    {                                                                                            \
        conv2d_direct_together(&isa, planar, siblings);                                          \
    }                                                                                            \
    static const struct together siblings_##name = {SIBLINGS, siblings_new, together_##name,     \
                                                    siblings_free, siblings_all};

RECORD(blocked, 0)
RECORD(plain, 1)

/* clang-format off */
#define COMMON(suffix) .name = "conv2d_direct_" ISA_NAME, .op = "conv2d", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .pulls = 1, .writes = ELEM_LAYOUT, .scratch = scratch_##suffix, .pack_bytes = pack_bytes_##suffix, \
    .pack = pack_##suffix, .run = run_##suffix
/* clang-format on */

const struct kernel ISA(conv2d_direct_kernels)[] = {
    {COMMON(blocked), .dir = DIR_FORWARD, .together = &siblings_blocked, .epilogue = follow_names,
     .side = "bnstats", .lazy = LAZY_X, .reads = ELEM_LAYOUT, .accepts = conv2d_direct_accepts},
    {COMMON(plain), .dir = DIR_FORWARD, .together = &siblings_plain, .epilogue = follow_names,
     .side = "bnstats", .accepts = conv2d_direct_accepts_plain},
    {COMMON(blocked), .dir = DIR_BACKWARD, .epilogue = writer_back_names, .side = "bnsums",
     .lazy = LAZY_X | LAZY_DY | LAZY_FOLLOW, .reads = ELEM_LAYOUT,
     .accepts = conv2d_direct_accepts},
    {COMMON(plain), .dir = DIR_BACKWARD, .reads = ELEM_LAYOUT, .plain = 1, .lazy = LAZY_DY,
     .accepts = conv2d_direct_accepts_plain},
    {0},
};
