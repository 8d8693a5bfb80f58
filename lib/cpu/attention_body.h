/* attention_body.h -- attention, head by head; compiled once per instruction
 * set.
 * SPDX-License-Identifier: MIT
 *
 * A task takes some tiles of queries of one head (backward also of keys).
 * The products are those of tiles.inc: what is multiplied from the left lies
 * as a tile of rows in groups of 16 numbers, what from the right in panels of
 * 16 outputs; a product is again such a tile, so that scores become shares in
 * place and are multiplied on.  No more than the scores of a tile are in
 * memory at a time.  A bias is added to them there; its gradient is the sum of
 * those of all samples that read it, which are one task.  */
#include <math.h>
#include <string.h>

#include "base/thread.h"
#include "cpu/kernels.h"
#include "cpu/round.h"
#include "cpu/transpose.h"
#include "graph/attr.h"
#include "graph/graph.h"

typedef float slot;
typedef vf vacc;
enum { PIXEL = LANES };
#define product outer
#define store   vf_store
#define NOTHING VF0
#define ASKS    OUTER_ASKS
#include "cpu/tiles.inc"

enum { X, BIAS };
enum { Y, LSE };
enum { QUERY, KEY, VALUE, PARTS };
enum { TASKS = 8 }; /* at least, for each thread */

struct attention {
    int64_t n, t, c, heads, d;
    int64_t groups;        /* biases; sample i reads number i % groups */
    int64_t chunks, tiles; /* of a head; in all tasks of a chunk */
    float scale;
    const float *x, *bias, *y, *dy; /* bias: NULL if there is none */
    float *out, *lse, *dx, *dbias;
    float *scratch;
    size_t scratch_floats; /* of a thread */
};

static struct attention attention_of(const struct node *n, const struct shape *x, int threads)
{
    struct attention r = {.n = x->dim[0], .t = x->dim[1], .c = x->dim[2] / PARTS};

    r.groups = n->in[BIAS] ? n->in[BIAS]->shape.dim[0] : r.n;
    r.heads = attr_int(n, "heads");
    r.d = r.c / r.heads;
    r.scale = (float)(1 / sqrt((double)r.d));
    r.tiles = up(r.t, MR);
    r.chunks = up(TASKS * (int64_t)threads, (n->dir == DIR_BACKWARD ? r.groups : r.n) * r.heads);
    if (r.chunks > r.tiles)
        r.chunks = r.tiles;
    return r;
}

/* Floats of a matrix in panels over its rows and over its columns, of a tile
 * of D and of T columns.  */
static size_t turned_floats(const struct attention *r)
{
    return (size_t)(lanes_of(r->t) * r->d);
}

static size_t plain_floats(const struct attention *r)
{
    return (size_t)(lanes_of(r->d) * r->t);
}

static size_t tile_floats(int64_t columns)
{
    return (size_t)(MR * lanes_of(columns));
}

/* ---- moving ---- */

/* A matrix of T rows of D numbers, LD apart, as [t/16][d][16].  */
static void pack_turned(const struct attention *r, const float *from, int64_t ld, float *to)
{
    for (int64_t t = 0; t < r->t; t += LANES, to += LANES * r->d) {
        const int64_t rows = r->t - t < LANES ? r->t - t : LANES;

        if (rows < LANES)
            memset(to, 0, (size_t)(LANES * r->d) * sizeof *to);
        transpose(to, LANES, from + t * ld, ld, rows, r->d);
    }
}

/* N <= 16 numbers, zeros behind them.  */
INLINE void copy_lanes(float *to, const float *from, int64_t n)
{
    if (n == LANES) {
        memcpy(to, from, LANES * sizeof *to);
        return;
    }
    memset(to, 0, LANES * sizeof *to);
    memcpy(to, from, (size_t)n * sizeof *to);
}

/* M rows of D numbers as [d/16][m][16]: panels over columns, or a tile.  */
static void pack_plain(const struct attention *r, const float *from, int64_t ld, int64_t m,
                       float *to)
{
    for (int64_t i = 0; i < r->d; i += LANES)
        for (int64_t t = 0; t < m; t++, to += LANES)
            copy_lanes(to, from + t * ld + i, r->d - i < LANES ? r->d - i : LANES);
}

/* A tile of D columns to M rows LD apart, each times its FACTOR.  */
static void spread(const struct attention *r, const float *from, int64_t m, const float *factor,
                   float *to, int64_t ld)
{
    for (int64_t i = 0; i < r->d; i += LANES)
        for (int64_t t = 0; t < m; t++, from += LANES)
            for (int64_t v = 0; v < LANES && i + v < r->d; v += VL) {
                const int64_t left = r->d - i - v;
                const vf y = vf_load(from + v) * VF1(factor[t]);

                if (left >= VL)
                    vf_store(to + t * ld + i + v, y);
                else
                    vf_store_n(to + t * ld + i + v, y, left);
            }
}

/* The tile X of M rows of K numbers times the panels W over N columns: the
 * tile TO.  */
static void multiply(const float *x, int64_t m, int64_t k, const float *w, int64_t n, float *to)
{
    const int64_t panels = up(n, LANES);
    struct tile t = tile_make(x, w, k);

    t.row = LANES;
    t.group = m * LANES;
    for (int64_t p = 0; p < panels; p += PANELS, t.w += PANELS * t.panel, to += PANELS * t.group)
        tiles[m - 1][p + PANELS <= panels](&t, to);
}

/* ---- forward ---- */

/* The bias of head HEAD of all samples.  */
static int64_t bias_at(const struct attention *r, int64_t head)
{
    return (head / r->heads % r->groups * r->heads + head % r->heads) * r->t * r->t;
}

/* N lanes; zeros behind them.  */
INLINE vf load_part(const float *p, int64_t n)
{
    return n >= VL ? vf_load(p) : vf_load_n(p, n);
}

/* A row of scores, 16 every STEP: times the scale, and BIAS added.  */
static void add_bias(const struct attention *r, float *row, int64_t step, const float *bias)
{
    const vf scale = VF1(r->scale);

    for (int64_t u = 0; u < r->t; u += LANES, row += step)
        EACH (v, PV) {
            const int64_t at = u + v * VL;

            if (at < r->t)
                vf_store(row + v * VL,
                         vf_fma(vf_load(row + v * VL), scale, load_part(bias + at, r->t - at)));
        }
}

/* The largest of row I of M of a tile of scores; its last vector is filled with
 * -infinity.  */
static float largest(const struct attention *r, float *s, int64_t m, int64_t i)
{
    const int64_t groups = up(r->t, LANES), step = m * LANES;
    float *row = s + i * LANES, *last = row + (groups - 1) * step;
    vf most = VF1(-INFINITY);

    for (int64_t u = r->t - (groups - 1) * LANES; u < LANES; u++)
        last[u] = -INFINITY;
    for (int64_t g = 0; g < groups; g++)
        EACH (v, PV)
            most = vf_max(most, vf_load(row + g * step + v * VL));
    return vf_most(most);
}

/* The same row's exponentials of what each is below MAX, times BY.  Returns their
 * sum.  */
static float exponentials(const struct attention *r, float *s, int64_t m, int64_t i, float by,
                          float max)
{
    const int64_t groups = up(r->t, LANES), step = m * LANES;
    float *row = s + i * LANES;
    vf sum = VF0;

    for (int64_t g = 0; g < groups; g++)
        EACH (v, PV) {
            const vf below = vf_load(row + g * step + v * VL) - VF1(max);
            const vf e = vf_exp_below(below * VF1(by));

            sum = sum + e;
            vf_store(row + g * step + v * VL, e);
        }
    return vf_sum(sum);
}

struct forward {
    float *keys, *values, *query, *scores, *mean;
};

static struct forward forward_scratch(const struct attention *r, int thread)
{
    struct forward f;

    f.keys = r->scratch + (size_t)thread * r->scratch_floats;
    f.values = f.keys + turned_floats(r);
    f.query = f.values + plain_floats(r);
    f.scores = f.query + tile_floats(r->d);
    f.mean = f.scores + tile_floats(r->t);
    return f;
}

static size_t forward_floats(const struct attention *r)
{
    return turned_floats(r) + plain_floats(r) + 2 * tile_floats(r->d) + tile_floats(r->t);
}

/* Queries [T, T + M) of head HEAD of all samples.  */
static void forward_tile(const struct attention *r, const struct forward *f, int64_t head,
                         int64_t t, int64_t m)
{
    const int64_t n = head / r->heads, at = head % r->heads * r->d, ld = PARTS * r->c;
    const float *bias = r->bias ? r->bias + bias_at(r, head) + t * r->t : NULL;
    const float by = bias ? 1 : r->scale;
    float max[MR], factor[MR];

    pack_plain(r, r->x + (n * r->t + t) * ld + at, ld, m, f->query);
    multiply(f->query, m, r->d, f->keys, r->t, f->scores);
    for (int64_t i = 0; i < m; i++) {
        if (bias)
            add_bias(r, f->scores + i * LANES, m * LANES, bias + i * r->t);
        max[i] = largest(r, f->scores, m, i);
    }
    /* A loop of its own: exponentials wait for the largest of their row only.  */
    for (int64_t i = 0; i < m; i++) {
        const float sum = exponentials(r, f->scores, m, i, by, max[i]);

        factor[i] = 1 / sum;
        if (r->lse)
            r->lse[head * r->t + t + i] = max[i] * by + (float)log(sum);
    }
    multiply(f->scores, m, r->t, f->values, r->d, f->mean);
    spread(r, f->mean, m, factor, r->out + (n * r->t + t) * r->c + at, r->c);
}

/* The first query of tile I: tiles are equal but for one row.  */
static int64_t tile_row(const struct attention *r, int64_t i)
{
    return i * r->t / r->tiles;
}

static void forward_task(void *attention, int64_t task, int thread)
{
    const struct attention *r = attention;
    const int64_t head = task / r->chunks, chunk = task % r->chunks, ld = PARTS * r->c;
    const float *x = r->x + head / r->heads * r->t * ld + head % r->heads * r->d;
    const struct forward f = forward_scratch(r, thread);

    pack_turned(r, x + KEY * r->c, ld, f.keys);
    pack_plain(r, x + VALUE * r->c, ld, r->t, f.values);
    for (int64_t i = chunk * r->tiles / r->chunks; i < (chunk + 1) * r->tiles / r->chunks; i++) {
        const int64_t t = tile_row(r, i);

        forward_tile(r, &f, head, t, tile_row(r, i + 1) - t);
    }
}

static void forward(const struct kernel_args *a)
{
    struct attention r = attention_of(a->op.node, &a->op.in[0].shape, pool_threads(a->pool));

    r.x = a->op.in[X].data;
    r.bias = a->op.in[BIAS].data;
    r.out = a->op.out[Y].data;
    r.lse = a->op.out[LSE].data;
    r.scratch = a->scratch;
    r.scratch_floats = forward_floats(&r);
    pool_run(a->pool, r.n * r.heads * r.chunks, forward_task, &r);
}

/* ---- backward ---- */

/* Tiles of queries give dq and dbias, tiles of keys dk and dv: each gradient
 * is one chain, and no task adds to what another one writes.  */
struct backward {
    float *turned[4], *plain[4]; /* q, k, v, dy of the head */
    float *lse, *mean;           /* [t]: of the queries; dy y' */
    float *left, *right;         /* tiles of D columns */
    float *shares, *slopes;      /* tiles of T columns */
    float *by_key;               /* [t][t]: the bias turned */
};
enum { DY = PARTS };

static struct backward backward_scratch(const struct attention *r, int thread)
{
    struct backward b;
    float *p = r->scratch + (size_t)thread * r->scratch_floats;

    for (int i = 0; i < 4; i++) {
        b.turned[i] = p;
        b.plain[i] = p + turned_floats(r);
        p = b.plain[i] + plain_floats(r);
    }
    b.lse = p;
    b.mean = b.lse + lanes_of(r->t);
    b.left = b.mean + lanes_of(r->t);
    b.right = b.left + tile_floats(r->d);
    b.shares = b.right + tile_floats(r->d);
    b.slopes = b.shares + tile_floats(r->t);
    b.by_key = b.slopes + tile_floats(r->t);
    return b;
}

static size_t backward_floats(const struct attention *r, int bias)
{
    return 4 * (turned_floats(r) + plain_floats(r)) + 2 * (size_t)lanes_of(r->t) +
           2 * tile_floats(r->d) + 2 * tile_floats(r->t) + (bias ? (size_t)(r->t * r->t) : 0);
}

/* Part I of the head whose queries begin at X; a row of it is *LD apart.  */
static const float *part(const struct attention *r, const float *x, const float *dy, int i,
                         int64_t *ld)
{
    *ld = i == DY ? r->c : PARTS * r->c;
    return i == DY ? dy : x + i * r->c;
}

static void pack_head(const struct attention *r, const struct backward *b, int64_t head,
                      const float *x, const float *dy)
{
    const float *y = r->y + (dy - r->dy);
    int64_t ld;

    for (int i = 0; i < 4; i++) {
        const float *from = part(r, x, dy, i, &ld);

        pack_turned(r, from, ld, b->turned[i]);
        pack_plain(r, from, ld, r->t, b->plain[i]);
    }
    memset(b->lse, 0, (size_t)(2 * lanes_of(r->t)) * sizeof *b->lse);
    memcpy(b->lse, r->lse + head * r->t, (size_t)r->t * sizeof *b->lse);
    for (int64_t t = 0; t < r->t; t++, y += r->c, dy += r->c) {
        double sum = 0;

        for (int64_t i = 0; i < r->d; i++)
            sum += (double)y[i] * dy[i];
        b->mean[t] = (float)sum;
    }
}

/* One vector of products S and of dy v': the share, and in *DP the slope.
 * BIAS: less the logarithm of the sum.  */
INLINE vf share(vf s, vf *dp, vf bias, vf mean, vf scale)
{
    const vf p = vf_exp_below(vf_fma(s, scale, bias));

    *dp = p * (*dp - mean);
    return p;
}

/* A tile of M rows of products and of dy v': shares and slopes.  LSE and MEAN
 * are of the rows from T on, or of the columns.  BIAS is that of row T.  */
static void shares(const struct attention *r, const struct backward *b, int64_t t, int64_t m,
                   const float *bias, int by_column)
{
    const vf scale = VF1(r->scale);
    float *s = b->shares, *dp = b->slopes;

    for (int64_t u = 0; u < r->t; u += LANES)
        for (int64_t i = 0; i < m; i++, s += LANES, dp += LANES)
            EACH (v, PV) {
                const vf lse = by_column ? vf_load(b->lse + u + v * VL) : VF1(b->lse[t + i]);
                const vf mean = by_column ? vf_load(b->mean + u + v * VL) : VF1(b->mean[t + i]);
                const int64_t at = u + v * VL;
                const vf add = bias && at < r->t ? load_part(bias + i * r->t + at, r->t - at) : VF0;
                vf slope = vf_load(dp + v * VL);

                vf_store(s + v * VL, share(vf_load(s + v * VL), &slope, add - lse, mean, scale));
                vf_store(dp + v * VL, slope);
            }
}

/* A tile of M rows of slopes added to rows of T numbers.  */
static void add_slopes(const struct attention *r, const float *slopes, int64_t m, float *to)
{
    for (int64_t u = 0; u < r->t; u += LANES)
        for (int64_t i = 0; i < m; i++, slopes += LANES)
            for (int64_t v = 0; v < LANES && u + v < r->t; v++)
                to[i * r->t + u + v] += slopes[v];
}

/* Rows [T, T + M) of the gradient of part TO: FROM, a tile of T columns, times
 * part I, times BY.  */
static void gradient(const struct attention *r, const struct backward *b, const float *from, int i,
                     int64_t m, float by, float *to)
{
    float factor[MR];

    EACH (k, MR)
        factor[k] = by;
    multiply(from, m, r->t, b->plain[i], r->d, b->right);
    spread(r, b->right, m, factor, to, PARTS * r->c);
}

/* The products of row tile T of part LEFT, part LEFT_2 with all of RIGHT,
 * RIGHT_2: scores and dy v', by queries or by keys.  */
static void pair(const struct attention *r, const struct backward *b, const float *x,
                 const float *dy, int64_t t, int64_t m, const int parts[4])
{
    float *const to[] = {b->shares, b->slopes};
    int64_t ld;

    for (int i = 0; i < 2; i++) {
        const float *from = part(r, x, dy, parts[2 * i], &ld);

        pack_plain(r, from + t * ld, ld, m, b->left);
        multiply(b->left, m, r->d, b->turned[parts[2 * i + 1]], r->t, to[i]);
    }
}

/* Chunk CHUNK of head HEAD of all samples.  */
static void backward_chunk(const struct attention *r, const struct backward *b, int64_t head,
                           int64_t chunk)
{
    static const int by_query[] = {QUERY, KEY, DY, VALUE}, by_key[] = {KEY, QUERY, VALUE, DY};
    const int64_t n = head / r->heads, at = head % r->heads * r->d, ld = PARTS * r->c;
    const float *x = r->x + n * r->t * ld + at, *dy = r->dy + n * r->t * r->c + at;
    const float *bias = r->bias ? r->bias + bias_at(r, head) : NULL;

    pack_head(r, b, head, x, dy);
    for (int64_t i = chunk * r->tiles / r->chunks; i < (chunk + 1) * r->tiles / r->chunks; i++) {
        const int64_t t = tile_row(r, i), m = tile_row(r, i + 1) - t;
        float *dx = r->dx + (n * r->t + t) * ld + at;

        pair(r, b, x, dy, t, m, by_query);
        shares(r, b, t, m, bias ? bias + t * r->t : NULL, 0);
        if (r->dbias)
            add_slopes(r, b->slopes, m, r->dbias + bias_at(r, head) + t * r->t);
        gradient(r, b, b->slopes, KEY, m, r->scale, dx + QUERY * r->c);
        pair(r, b, x, dy, t, m, by_key);
        shares(r, b, t, m, bias ? b->by_key + t * r->t : NULL, 1);
        gradient(r, b, b->slopes, QUERY, m, r->scale, dx + KEY * r->c);
        gradient(r, b, b->shares, DY, m, 1, dx + VALUE * r->c);
    }
}

/* That chunk of the samples that read one bias.  */
static void backward_task(void *attention, int64_t task, int thread)
{
    const struct attention *r = attention;
    const int64_t first = task / r->chunks, chunk = task % r->chunks;
    const struct backward b = backward_scratch(r, thread);

    if (r->bias)
        transpose(b.by_key, r->t, r->bias + bias_at(r, first), r->t, r->t, r->t);
    for (int64_t head = first; head < r->n * r->heads; head += r->groups * r->heads)
        backward_chunk(r, &b, head, chunk);
}

static void backward(const struct kernel_args *a)
{
    struct attention r = attention_of(a->op.node, &a->op.in[0].shape, pool_threads(a->pool));

    r.x = a->op.in[X].data;
    r.bias = a->op.in[BIAS].data;
    r.y = a->op.out[Y].data;
    r.lse = a->op.out[LSE].data;
    r.dy = a->op.dout[0].data;
    r.dx = a->op.din[X].data;
    r.dbias = a->op.din[BIAS].data;
    r.scratch = a->scratch;
    r.scratch_floats = backward_floats(&r, r.bias != NULL);
    if (r.dbias)
        memset(r.dbias, 0, (size_t)(r.groups * r.heads * r.t * r.t) * sizeof *r.dbias);
    pool_run(a->pool, r.groups * r.heads * r.chunks, backward_task, &r);
}

/* ---- the record ---- */

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    const struct shape x = shape_bind(n->in[0]->shape, s->batch);
    const struct attention r = attention_of(n, &x, threads);
    const size_t floats =
        n->dir == DIR_BACKWARD ? backward_floats(&r, n->in[BIAS] != NULL) : forward_floats(&r);

    return (size_t)threads * floats * sizeof(float);
}

/* A frozen layer before a bias that learns is not worth code.  */
static int wants_x(const struct step_nodes *s)
{
    return s->node[0]->out[X] != NULL;
}

/* clang-format off */
#define COMMON .name = "attention_" ISA_NAME, .op = "attention", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .scratch = scratch

const struct kernel ISA(attention_kernels)[] = {
    {COMMON, .dir = DIR_FORWARD, .run = forward},
    {COMMON, .dir = DIR_BACKWARD, .accepts = wants_x, .run = backward},
    {0},
};
/* clang-format on */
