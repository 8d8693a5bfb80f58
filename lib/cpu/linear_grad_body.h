/* linear_grad_body.h -- gradients of linear layers; compiled once per
 * instruction set.
 * SPDX-License-Identifier: MIT  */
#include "cpu/linear_rows.inc"

/* dw = dy' x: the rows of the product are outputs, its chain runs over the
 * rows of x.  They come in rounds, so that x in panels does not grow with the
 * batch; a round's sums are added to those before it.  */
enum { GRAD_BYTES = 16 << 20, GRAD_TILES = 4, GRAD_TASKS = 4 };

struct grad {
    int64_t n, c, o, first, now; /* rows; columns; outputs; rows of the round */
    int64_t tiles, groups;       /* of outputs */
    int64_t panels, parts;       /* of columns; parts are tasks */
    const float *x, *dy;
    float *dw, *db;
    slot *packed, *turned; /* x in panels; dy' of a thread's tiles */
};

static int64_t grad_round(const struct grad *g)
{
    const int64_t n = GRAD_BYTES / (g->c * (int64_t)sizeof(float)) / LANES * LANES;

    return least(g->n, most(n, LANES));
}

static struct grad grad_make(int64_t n, int64_t c, int64_t o, int threads)
{
    struct grad g = {.n = n, .c = c, .o = o, .tiles = up(o, MR), .panels = up(c, LANES)};

    g.groups = up(g.tiles, GRAD_TILES);
    g.parts = up(GRAD_TASKS * (int64_t)threads, g.groups);
    if (g.parts > up(g.panels, PANELS))
        g.parts = up(g.panels, PANELS);
    return g;
}

/* Slots of ROWS numbers of a chain.  */
static int64_t slots_of(int64_t rows)
{
    return up(rows, LANES / PIXEL);
}

static size_t packed_slots(const struct grad *g)
{
    return (size_t)(g->panels * LANES * slots_of(grad_round(g)));
}

static size_t turned_slots(const struct grad *g)
{
    return (size_t)(GRAD_TILES * MR * up(grad_round(g), LANES) * PIXEL);
}

/* Sixteen columns of x as [slot][16].  */
static void pack_task(void *grad, int64_t task, int thread)
{
    const struct grad *g = grad;
    const int64_t c = task * LANES;

    (void)thread;
    pack_rows(g->x + g->first * g->c + c, g->c, g->c - c < LANES ? g->c - c : LANES, g->now,
              g->packed + task * LANES * slots_of(g->now));
}

static int64_t output_of(const struct grad *g, int64_t tile)
{
    return (tile < g->tiles ? tile : g->tiles) * g->o / g->tiles;
}

/* M rows of dw from output O on, columns from panel PANEL on.  */
static void add_gradient(const struct grad *g, const slot *tile, int64_t o, int64_t m,
                         int64_t panel)
{
    const int64_t c = panel * LANES, left = g->c - c < PANELS * LANES ? g->c - c : PANELS * LANES;
    const float *sums = (const float *)tile;

    for (int64_t i = 0; i < m; i++, sums += PANELS * LANES)
        for (int64_t k = 0; k < left; k += VL) {
            float *to = g->dw + (o + i) * g->c + c + k;
            const int64_t n = left - k < VL ? left - k : VL;
            vf v = vf_load(sums + k);

            if (g->first)
                v = v + (n == VL ? vf_load(to) : vf_load_n(to, n));
            if (n == VL)
                vf_store(to, v);
            else
                vf_store_n(to, v, n);
        }
}

/* M outputs of dy' from O on as [row/16][m][slot].  */
static void turn(const struct grad *g, int64_t o, int64_t m, slot *to)
{
    const float *dy = g->dy + g->first * g->o + o;

    for (int64_t i = 0; i < g->now; i += LANES, to += m * PIXEL)
        turn_rows(dy + i * g->o, g->o, m, g->now - i < LANES ? g->now - i : LANES, to);
}

static void gradient_task(void *grad, int64_t task, int thread)
{
    const struct grad *g = grad;
    const int64_t first = task / g->parts * GRAD_TILES, part = task % g->parts;
    const int64_t pairs = up(g->panels, PANELS);
    const int64_t each = MR * up(g->now, LANES) * PIXEL, slots = slots_of(g->now);
    slot *turned = g->turned + (size_t)thread * turned_slots(g), sums[SUMS];

    for (int64_t i = 0; i < GRAD_TILES && first + i < g->tiles; i++)
        turn(g, output_of(g, first + i), output_of(g, first + i + 1) - output_of(g, first + i),
             turned + i * each);
    for (int64_t p = part * pairs / g->parts; p < (part + 1) * pairs / g->parts; p++)
        for (int64_t i = 0; i < GRAD_TILES && first + i < g->tiles; i++) {
            const int64_t o = output_of(g, first + i), m = output_of(g, first + i + 1) - o;
            struct tile t =
                tile_make(turned + i * each, g->packed + p * PANELS * slots * LANES, slots);

            tiles[m - 1][(p + 1) * PANELS <= g->panels](&t, sums);
            add_gradient(g, sums, o, m, p * PANELS);
        }
}

/* Sums of dy over the rows, of a few columns: of float over BLOCK rows.  */
static void bias_task(void *grad, int64_t task, int thread)
{
    enum { BLOCK = 64 };
    const struct grad *g = grad;
    const int64_t at = task * VL, n = g->o - at < VL ? g->o - at : VL;
    double sum[VL] = {0};
    float part[VL];

    (void)thread;
    for (int64_t i = 0; i < g->n; i += BLOCK) {
        vf s = VF0;

        for (int64_t k = i; k < g->n && k < i + BLOCK; k++)
            s = s +
                (n == VL ? vf_load(g->dy + k * g->o + at) : vf_load_n(g->dy + k * g->o + at, n));
        vf_store(part, s);
        EACH (v, VL)
            sum[v] += part[v];
    }
    for (int64_t v = 0; v < n; v++)
        g->db[at + v] = (float)sum[v];
}

/* Rows and columns of x, outputs.  */
static void back_sizes(const struct step_nodes *s, int64_t *n, int64_t *c, int64_t *o)
{
    const struct node *b = s->node[0];
    const struct shape dy = shape_bind(b->in[b->n_in - 1]->shape, s->batch);

    *o = dy.dim[dy.rank - 1];
    *n = shape_count(&dy) / *o;
    *c = b->in_shape[WEIGHT].dim[1];
}

static int back_accepts(const struct step_nodes *s)
{
    return value_is_tensor(s->node[0]->in[WEIGHT]);
}

static size_t back_scratch(const struct step_nodes *s, int threads)
{
    int64_t n, c, o;

    back_sizes(s, &n, &c, &o);
    const struct rows r = rows_make(s, n, o, c, threads);
    const struct grad g = grad_make(n, c, o, threads);
    const size_t dx = (size_t)(2 * r.panels * LANES + copy_slots(&r));
    const size_t dw = packed_slots(&g) + (size_t)threads * turned_slots(&g);

    return (dx > dw ? dx : dw) * sizeof(slot);
}

static size_t back_pack_bytes(const struct step_nodes *s, int i)
{
    int64_t n, c, o;

    back_sizes(s, &n, &c, &o);
    return i == WEIGHT ? (size_t)(lanes_of(c) * slots_of(o)) * sizeof(slot) : 0;
}

/* W[o][c] as [c/16][slot][16].  */
static void back_pack(const struct step_nodes *s, int i, const struct tensor *t, void *packed)
{
    const int64_t o = t->shape.dim[0], c = t->shape.dim[1];
    const float *w = t->data;
    slot *to = packed;

    (void)s, (void)i;
    for (int64_t at = 0; at < c; at += LANES, to += slots_of(o) * LANES)
        pack_rows(w + at, c, c - at < LANES ? c - at : LANES, o, to);
}

static void back_x(const struct kernel_args *a, int64_t n, int64_t c, int64_t o)
{
    struct rows_f32 r = {.r = rows_make(a->step, n, o, c, pool_threads(a->pool))};
    float *table = a->scratch;

    r.r.x = a->op.dout[0].data;
    r.r.w = a->packed[WEIGHT];
    r.y = a->op.din[X].data;
    r.f = (struct follow){.scale = table, .shift = table + lanes_of(c)};
    for (int64_t i = 0; i < lanes_of(c); i++) {
        table[i] = 1;
        table[lanes_of(c) + i] = 0;
    }
    r.r.copy = (slot *)(table + 2 * lanes_of(c));
    run_rows(&r.r, &r, a->pool);
}

static void back_w(const struct kernel_args *a, struct grad *g)
{
    g->packed = a->scratch;
    g->turned = g->packed + packed_slots(g);
    for (g->first = 0; g->first < g->n; g->first += g->now) {
        g->now = g->n - g->first < grad_round(g) ? g->n - g->first : grad_round(g);
        pool_run(a->pool, g->panels, pack_task, g);
        pool_run(a->pool, g->groups * g->parts, gradient_task, g);
    }
}

static void backward(const struct kernel_args *a)
{
    const struct shape *dy = &a->op.dout[0].shape;
    const int64_t c = a->op.in[WEIGHT].shape.dim[1], o = dy->dim[dy->rank - 1];
    struct grad g = grad_make(shape_count(dy) / o, c, o, pool_threads(a->pool));

    g.x = a->op.in[X].data;
    g.dy = a->op.dout[0].data;
    g.dw = a->op.din[WEIGHT].data;
    g.db = a->op.din[BIAS].data;
    if (a->op.din[X].data)
        back_x(a, g.n, c, o);
    if (g.dw)
        back_w(a, &g);
    if (g.db)
        pool_run(a->pool, up(o, VL), bias_task, &g);
}

/* clang-format off */
const struct kernel ISA(linear_grad_kernels)[] = {
    {.name = "linear_grad_" ISA_NAME, .op = "linear", .dir = DIR_BACKWARD, .isa = ISA_BITS,
     .dtypes = 1 << DTYPE_F32, .narrow = (int)PIXEL < (int)LANES, .accepts = back_accepts,
     .scratch = back_scratch, .pack_bytes = back_pack_bytes, .pack = back_pack, .run = backward},
    {0},
};
/* clang-format on */
