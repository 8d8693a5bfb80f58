/* norm_blocked_body.h -- batch normalisation of blocked values; compiled once
 * per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Channels are lanes.  A piece is up to PIECE pixels of one image: its mean
 * first, then the squares around that, while it is in the nearest cache;
 * pieces, images of a chunk and chunks are merged in double (moments.h).  The
 * number of chunks depends on the shape alone.  */
#include <math.h>

#include "base/thread.h"
#include "cpu/elem.h"
#include "cpu/follow.h"
#include "cpu/kernels.h"
#include "cpu/moments.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { X, WEIGHT, BIAS, RUNNING_MEAN, RUNNING_VAR };
enum { Y, MEAN, INVSTD };
enum { PV = LANES / VL, CHUNKS = 32, PIECE = 256 };

/* y = (x - mean) scale + shift, or dx = dy scale + (x - mean) slope + shift:
 * tables of LANES groups numbers.  */
struct norm {
    int64_t n, c, groups, area;
    int64_t chunks, images; /* of a chunk */
    const elem *x, *dy;
    elem *y;
    struct moments *sums; /* [chunks][16 groups] */
    float *mean, *scale, *slope, *shift, *table;
    struct follow f;
};

static struct norm norm_of(const struct shape *x)
{
    struct norm r = {.n = x->dim[0], .c = x->dim[1], .area = x->dim[2] * x->dim[3]};

    r.groups = (r.c + LANES - 1) / LANES;
    r.images = (r.n + CHUNKS - 1) / CHUNKS;
    r.chunks = (r.n + r.images - 1) / r.images;
    return r;
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct shape x = shape_bind(s->node[0]->in[X]->shape, s->batch);
    const struct norm r = norm_of(&x);

    (void)threads;
    return (size_t)(r.groups * LANES) *
           ((size_t)r.chunks * sizeof(struct moments) + 6 * sizeof(float));
}

static void bind(struct norm *r, const struct kernel_args *a)
{
    const int64_t lanes = r->groups * LANES;
    float *table;

    r->sums = a->scratch;
    table = (float *)(r->sums + r->chunks * lanes);
    r->mean = table;
    r->scale = table + lanes;
    r->slope = table + 2 * lanes;
    r->shift = table + 3 * lanes;
    memset(table, 0, (size_t)(4 * lanes) * sizeof *table);
    r->table = table + 4 * lanes;
    r->f = follow_of(a, r->c, NULL, r->table);
}

/* The images of a task, and the first lane of its channels.  */
struct part {
    int64_t first, last, group;
    struct moments *sums;
};

static struct part part_of(const struct norm *r, int64_t task)
{
    const int64_t chunk = task / r->groups;
    struct part p = {.first = chunk * r->images, .group = task % r->groups};

    p.last = p.first + r->images < r->n ? p.first + r->images : r->n;
    p.sums = r->sums + (chunk * r->groups + p.group) * LANES;
    return p;
}

/* ---- forward ---- */

/* Mean and squares around it of N pixels, one vector of their lanes.  */
INLINE void piece_moments(const elem *x, int64_t n, float *mean, float *squares)
{
    vf a[4], b = VF0;
    int64_t i = 0;

    EACH (k, 4)
        a[k] = VF0;
    for (; i + 4 <= n; i += 4)
        EACH (k, 4)
            a[k] = a[k] + elem_load(x + (i + k) * LANES);
    for (; i < n; i++)
        a[0] = a[0] + elem_load(x + i * LANES);
    const vf m = ((a[0] + a[1]) + (a[2] + a[3])) / VF1((float)n);
    for (i = 0; i < n; i++) {
        const vf d = elem_load(x + i * LANES) - m;

        b = vf_fma(d, d, b);
    }
    vf_store(mean, m);
    vf_store(squares, b);
}

static void moments_task(void *norm, int64_t task, int thread)
{
    const struct norm *r = norm;
    const struct part p = part_of(r, task);
    struct moments s[LANES] = {{0}};
    double seen = 0;

    (void)thread;
    for (int64_t n = p.first; n < p.last; n++)
        for (int64_t i = 0; i < r->area; i += PIECE) {
            const elem *x = r->x + ((n * r->groups + p.group) * r->area + i) * LANES;
            const int64_t count = r->area - i < PIECE ? r->area - i : PIECE;
            float mean[LANES], squares[LANES];

            EACH (v, PV)
                piece_moments(x + v * VL, count, mean + v * VL, squares + v * VL);
            for (int c = 0; c < LANES; c++)
                moments_merge(&s[c], seen, (double)count, mean[c], squares[c]);
            seen += (double)count;
        }
    memcpy(p.sums, s, sizeof s);
}

/* Mean and biased variance of channel C over all chunks.  */
static struct moments channel_moments(const struct norm *r, int64_t c)
{
    struct moments s = {0};

    for (int64_t i = 0; i < r->chunks; i++) {
        const int64_t before = i * r->images;
        const int64_t here = r->n - before < r->images ? r->n - before : r->images;
        const struct moments *p = &r->sums[i * r->groups * LANES + c];

        moments_merge(&s, (double)(before * r->area), (double)(here * r->area), p->a, p->b);
    }
    s.b /= (double)(r->n * r->area);
    return s;
}

static void sweep_task(void *norm, int64_t plane, int thread)
{
    const struct norm *r = norm;
    const int64_t lane = plane % r->groups * LANES, at = plane * r->area * LANES;
    const vf lo = VF1(r->f.lo), hi = VF1(r->f.hi);
    const elem *add = (const elem *)r->f.add;

    (void)thread;
    for (int64_t v = 0; v < LANES; v += VL) {
        const vf mean = vf_load(r->mean + lane + v), scale = vf_load(r->scale + lane + v);
        const vf shift = vf_load(r->shift + lane + v);

        for (int64_t i = at + v; i < at + r->area * LANES; i += LANES) {
            vf y = vf_fma(elem_load(r->x + i) - mean, scale, shift);

            if (add)
                y = y + elem_load(add + i);
            elem_store(r->y + i, vf_act((enum act)r->f.act, y, lo, hi));
        }
    }
}

/* y = (x - mean) weight invstd + bias, the statistics in double.  */
static void set_channel(struct norm *r, int64_t c, double mean, double invstd, const float *weight,
                        const float *bias)
{
    const double scale = (weight ? weight[c] : 1) * invstd;

    r->mean[c] = (float)mean;
    r->scale[c] = (float)scale;
    r->shift[c] = (float)((bias ? bias[c] : 0) + (r->mean[c] - mean) * scale);
}

static void forward(const struct kernel_args *a)
{
    const float *mean = a->op.in[RUNNING_MEAN].data, *var = a->op.in[RUNNING_VAR].data;
    const double eps = attr_real(a->op.node, "eps");
    float *keep_mean = a->op.out[MEAN].data, *keep_invstd = a->op.out[INVSTD].data;
    struct norm r = norm_of(&a->op.in[X].shape);

    bind(&r, a);
    r.x = a->op.in[X].data;
    r.y = a->op.out[Y].data;
    if (a->op.node->train)
        pool_run(a->pool, r.chunks * r.groups, moments_task, &r);
    for (int64_t c = 0; c < r.c; c++) {
        const struct moments s =
            a->op.node->train ? channel_moments(&r, c) : (struct moments){mean[c], var[c]};
        const double invstd = 1 / sqrt(s.b + eps);

        set_channel(&r, c, s.a, invstd, a->op.in[WEIGHT].data, a->op.in[BIAS].data);
        if (keep_mean)
            keep_mean[c] = (float)s.a;
        if (keep_invstd)
            keep_invstd[c] = (float)invstd;
    }
    pool_run(a->pool, r.n * r.groups, sweep_task, &r);
}

static void stats_forward(const struct kernel_args *a)
{
    const double eps = attr_real(a->op.node, "eps");
    float *mean = a->op.out[0].data, *invstd = a->op.out[1].data;
    struct norm r = norm_of(&a->op.in[X].shape);

    bind(&r, a);
    r.x = a->op.in[X].data;
    pool_run(a->pool, r.chunks * r.groups, moments_task, &r);
    for (int64_t c = 0; c < r.c; c++) {
        const struct moments s = channel_moments(&r, c);

        mean[c] = (float)s.a;
        invstd[c] = (float)(1 / sqrt(s.b + eps));
    }
}

static void apply_forward(const struct kernel_args *a)
{
    const float *mean = a->op.in[1].data, *invstd = a->op.in[2].data;
    struct norm r = norm_of(&a->op.in[X].shape);

    bind(&r, a);
    r.x = a->op.in[X].data;
    r.y = a->op.out[0].data;
    for (int64_t c = 0; c < r.c; c++)
        set_channel(&r, c, mean[c], invstd[c], a->op.in[3].data, a->op.in[4].data);
    pool_run(a->pool, r.n * r.groups, sweep_task, &r);
}

/* ---- backward ---- */

/* Sums of dy and dy (x - mean) over N pixels, one vector of their lanes.  */
INLINE void piece_products(const elem *x, const elem *dy, int64_t n, vf mean, float *sums,
                           float *products)
{
    vf a = VF0, b = VF0, p = VF0, q = VF0;
    int64_t i = 0;

    for (; i + 2 <= n; i += 2) {
        const vf d = elem_load(dy + i * LANES), e = elem_load(dy + (i + 1) * LANES);

        a = a + d;
        b = b + e;
        p = vf_fma(d, elem_load(x + i * LANES) - mean, p);
        q = vf_fma(e, elem_load(x + (i + 1) * LANES) - mean, q);
    }
    if (i < n) {
        const vf d = elem_load(dy + i * LANES);

        a = a + d;
        p = vf_fma(d, elem_load(x + i * LANES) - mean, p);
    }
    vf_store(sums, a + b);
    vf_store(products, p + q);
}

static void products_task(void *norm, int64_t task, int thread)
{
    const struct norm *r = norm;
    const struct part p = part_of(r, task);
    struct moments s[LANES] = {{0}};

    (void)thread;
    for (int64_t n = p.first; n < p.last; n++)
        for (int64_t i = 0; i < r->area; i += PIECE) {
            const int64_t at = ((n * r->groups + p.group) * r->area + i) * LANES;
            const int64_t count = r->area - i < PIECE ? r->area - i : PIECE;
            float sums[LANES], products[LANES];

            EACH (v, PV)
                piece_products(r->x + at + v * VL, r->dy + at + v * VL, count,
                               vf_load(r->mean + p.group * LANES + v * VL), sums + v * VL,
                               products + v * VL);
            for (int c = 0; c < LANES; c++) {
                s[c].a += sums[c];
                s[c].b += products[c];
            }
        }
    memcpy(p.sums, s, sizeof s);
}

static struct moments channel_products(const struct norm *r, int64_t c)
{
    struct moments s = {0};

    for (int64_t i = 0; i < r->chunks; i++) {
        s.a += r->sums[i * r->groups * LANES + c].a;
        s.b += r->sums[i * r->groups * LANES + c].b;
    }
    return s;
}

static void gradient_task(void *norm, int64_t plane, int thread)
{
    const struct norm *r = norm;
    const int64_t lane = plane % r->groups * LANES, at = plane * r->area * LANES;

    (void)thread;
    for (int64_t v = 0; v < LANES; v += VL) {
        const vf mean = vf_load(r->mean + lane + v), scale = vf_load(r->scale + lane + v);
        const vf slope = vf_load(r->slope + lane + v), shift = vf_load(r->shift + lane + v);

        for (int64_t i = at + v; i < at + r->area * LANES; i += LANES)
            elem_store(r->y + i, vf_fma(elem_load(r->x + i) - mean, slope,
                                        vf_fma(elem_load(r->dy + i), scale, shift)));
    }
}

/* Sums of dy and dy h of all channels, either of which may be NULL.  */
static void sums_of(struct norm *r, const struct kernel_args *a, const float *invstd, float *db,
                    float *dw)
{
    pool_run(a->pool, r->chunks * r->groups, products_task, r);
    for (int64_t c = 0; c < r->c; c++) {
        const struct moments s = channel_products(r, c);

        if (db)
            db[c] = (float)s.a;
        if (dw)
            dw[c] = (float)(s.b * invstd[c]);
    }
}

static void sums_forward(const struct kernel_args *a)
{
    struct norm r = norm_of(&a->op.in[X].shape);

    bind(&r, a);
    r.x = a->op.in[X].data;
    r.dy = a->op.in[3].data;
    memcpy(r.mean, a->op.in[1].data, (size_t)r.c * sizeof *r.mean);
    sums_of(&r, a, a->op.in[2].data, a->op.out[0].data, a->op.out[1].data);
}

/* dx = weight invstd (dy - db / m - (x - mean) invstd dw / m), or without what
 * stands for the statistics where those are not the batch's.  */
static void gradients_of(struct norm *r, const struct kernel_args *a, const float *weight,
                         const float *invstd, const float *db, const float *dw)
{
    const double m = (double)(r->n * r->area);

    for (int64_t c = 0; c < r->c; c++) {
        const double scale = (weight ? weight[c] : 1) * (double)invstd[c];

        r->scale[c] = (float)scale;
        r->slope[c] = dw ? (float)(-scale * dw[c] * invstd[c] / m) : 0;
        r->shift[c] = db ? (float)(-scale * db[c] / m) : 0;
    }
    pool_run(a->pool, r->n * r->groups, gradient_task, r);
}

static void grad_forward(const struct kernel_args *a)
{
    struct norm r = norm_of(&a->op.in[X].shape);

    bind(&r, a);
    r.x = a->op.in[X].data;
    r.dy = a->op.in[6].data;
    r.y = a->op.out[0].data;
    memcpy(r.mean, a->op.in[1].data, (size_t)r.c * sizeof *r.mean);
    gradients_of(&r, a, a->op.in[3].data, a->op.in[2].data, a->op.in[4].data, a->op.in[5].data);
}

static void backward(const struct kernel_args *a)
{
    const float *weight = a->op.in[WEIGHT].data;
    const float *mean = a->op.out[MEAN].data, *invstd = a->op.out[INVSTD].data;
    float *dw = a->op.din[WEIGHT].data, *db = a->op.din[BIAS].data;
    struct norm r = norm_of(&a->op.in[X].shape);
    const int train = a->op.node->train;

    bind(&r, a);
    r.x = a->op.in[X].data;
    r.dy = a->op.dout[0].data;
    r.y = a->op.din[X].data;
    memcpy(r.mean, mean, (size_t)r.c * sizeof *mean);
    if (train && r.y) { /* the sums are wanted, if not as results */
        db = db ? db : r.table;
        dw = dw ? dw : r.table + r.groups * LANES;
    }
    if (db || dw)
        sums_of(&r, a, invstd, db, dw);
    if (r.y)
        gradients_of(&r, a, weight, invstd, train ? db : NULL, train ? dw : NULL);
}

static int is_map(const struct step_nodes *s)
{
    return s->node[0]->in[X]->shape.rank == 4 && follow_accepts(s);
}

/* clang-format off */
#define COMMON .name = "norm_blocked_" ISA_NAME, .isa = ISA_BITS, .dtypes = 1 << DTYPE_F32, \
    .pulls = 1, .reads = ELEM_LAYOUT, .writes = ELEM_LAYOUT, .scratch = scratch, .accepts = is_map

const struct kernel ISA(norm_blocked_kernels)[] = {
    {COMMON, .op = "batchnorm2d", .dir = DIR_FORWARD, .epilogue = follow_add_names, .run = forward},
    {COMMON, .op = "batchnorm2d", .dir = DIR_BACKWARD, .run = backward},
    {COMMON, .op = "bnstats", .run = stats_forward},
    {COMMON, .op = "bnapply", .defer = DEFER_HEAD, .epilogue = follow_add_names,
     .run = apply_forward},
    {COMMON, .op = "bnsums", .run = sums_forward},
    {COMMON, .op = "bngrad", .defer = DEFER_HEAD, .run = grad_forward},
    {0},
};
/* clang-format on */
