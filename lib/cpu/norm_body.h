/* norm_body.h -- normalisation over channels of [N,C,...]; compiled once per
 * instruction set.
 * SPDX-License-Identifier: MIT
 *
 * A plane is the part of one image and channel.  Sums run over a plane in
 * lanes of float, then over the planes of a chunk of images and over the
 * chunks in double; the number of chunks depends on the shape alone.  The
 * variance is taken around each plane's own mean and merged (moments.h).  */
#include <math.h>

#include "base/thread.h"
#include "cpu/follow.h"
#include "cpu/kernels.h"
#include "cpu/moments.h"
#include "cpu/vec.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { X, WEIGHT, BIAS, RUNNING_MEAN, RUNNING_VAR };
enum { Y, MEAN, INVSTD };
enum { CHUNKS = 32, GROUP = 16, SWEEP = 16384 };

/* What a sweep does to a channel: y = (x - mean) scale + shift, or
 * dx = dy scale + (x - mean) slope + shift.  */
struct channel {
    float mean, scale, slope, shift;
};

struct norm {
    int64_t n, c, area;
    int64_t chunks, images, groups; /* of a chunk; of channels */
    const float *x, *dy;
    float *y;
    struct moments *sums; /* [chunks][c] */
    struct channel *channel;
    struct follow f;
};

static struct norm norm_of(const struct shape *x)
{
    struct norm r = {.n = x->dim[0], .c = x->dim[1], .area = 1};

    for (int i = 2; i < x->rank; i++)
        r.area *= x->dim[i];
    r.images = (r.n + CHUNKS - 1) / CHUNKS;
    r.chunks = (r.n + r.images - 1) / r.images;
    r.groups = (r.c + GROUP - 1) / GROUP;
    return r;
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct shape x = shape_bind(s->node[0]->in[X]->shape, s->batch);
    const struct norm r = norm_of(&x);

    (void)threads;
    return (size_t)(r.chunks * r.c) * sizeof(struct moments) +
           (size_t)r.c * (sizeof(struct channel) + 2 * sizeof(float));
}

static void bind(struct norm *r, const struct kernel_args *a)
{
    r->sums = a->scratch;
    r->channel = (struct channel *)(r->sums + r->chunks * r->c);
    r->f = follow_of(a, r->c, NULL, (float *)(r->channel + r->c));
}

/* ---- sums of a plane ---- */

/* Lanes behind the end of a plane hold FILL - FILL.  */
INLINE vf load_part(const float *p, int64_t n, vf fill)
{
    float t[VL];

    vf_store(t, fill);
    memcpy(t, p, (size_t)n * sizeof *t);
    return vf_load(t);
}

INLINE double plane_sum(const float *x, int64_t n)
{
    vf a = VF0, b = VF0;
    int64_t i = 0;

    for (; i + 2 * VL <= n; i += 2 * VL) {
        a = a + vf_load(x + i);
        b = b + vf_load(x + i + VL);
    }
    for (; i < n; i += VL)
        a = a + (i + VL <= n ? vf_load(x + i) : load_part(x + i, n - i, VF0));
    return vf_sum(a + b);
}

INLINE double plane_squares(const float *x, int64_t n, float mean)
{
    const vf m = VF1(mean);
    vf a = VF0, b = VF0;
    int64_t i = 0;

    for (; i + 2 * VL <= n; i += 2 * VL) {
        const vf d = vf_load(x + i) - m, e = vf_load(x + i + VL) - m;

        a = vf_fma(d, d, a);
        b = vf_fma(e, e, b);
    }
    for (; i < n; i += VL) {
        const vf d = (i + VL <= n ? vf_load(x + i) : load_part(x + i, n - i, m)) - m;

        a = vf_fma(d, d, a);
    }
    return vf_sum(a + b);
}

INLINE struct moments plane_products(const float *x, const float *dy, int64_t n, float mean)
{
    const vf m = VF1(mean);
    vf a = VF0, b = VF0, p = VF0, q = VF0;
    int64_t i = 0;

    for (; i + 2 * VL <= n; i += 2 * VL) {
        const vf d = vf_load(dy + i), e = vf_load(dy + i + VL);

        a = a + d;
        b = b + e;
        p = vf_fma(d, vf_load(x + i) - m, p);
        q = vf_fma(e, vf_load(x + i + VL) - m, q);
    }
    for (; i < n; i += VL) {
        const int whole = i + VL <= n;
        const vf d = whole ? vf_load(dy + i) : load_part(dy + i, n - i, VF0);

        a = a + d;
        p = vf_fma(d, (whole ? vf_load(x + i) : load_part(x + i, n - i, m)) - m, p);
    }
    return (struct moments){vf_sum(a + b), vf_sum(p + q)};
}

/* ---- forward ---- */

static void moments_task(void *norm, int64_t task, int thread)
{
    const struct norm *r = norm;
    const int64_t chunk = task / r->groups, c0 = task % r->groups * GROUP;
    const int64_t first = chunk * r->images;
    const int64_t last = first + r->images < r->n ? first + r->images : r->n;

    (void)thread;
    for (int64_t c = c0; c < c0 + GROUP && c < r->c; c++) {
        struct moments s = {0};

        for (int64_t n = first; n < last; n++) {
            const float *x = r->x + (n * r->c + c) * r->area;
            const double mean = plane_sum(x, r->area) / (double)r->area;
            const float m = (float)mean;
            const double off = mean - m, area = (double)r->area;
            const double squares = plane_squares(x, r->area, m) - area * off * off;

            moments_merge(&s, (double)(n - first) * area, area, mean, squares > 0 ? squares : 0);
        }
        r->sums[chunk * r->c + c] = s;
    }
}

/* Mean and biased variance of channel C over all chunks.  */
static struct moments channel_moments(const struct norm *r, int64_t c)
{
    struct moments s = {0};

    for (int64_t i = 0; i < r->chunks; i++) {
        const int64_t before = i * r->images;
        const int64_t here = r->n - before < r->images ? r->n - before : r->images;
        const struct moments *p = &r->sums[i * r->c + c];

        moments_merge(&s, (double)(before * r->area), (double)(here * r->area), p->a, p->b);
    }
    s.b /= (double)(r->n * r->area);
    return s;
}

INLINE void sweep_plane(const struct norm *r, int64_t plane)
{
    const struct channel k = r->channel[plane % r->c];
    const vf mean = VF1(k.mean), scale = VF1(k.scale), shift = VF1(k.shift);
    const vf lo = VF1(r->f.lo), hi = VF1(r->f.hi);
    const float *x = r->x + plane * r->area, *add = r->f.add ? r->f.add + plane * r->area : NULL;
    const enum act act = (enum act)r->f.act;
    float *y = r->y + plane * r->area;
    int64_t i = 0;

    for (; i + VL <= r->area; i += VL) {
        vf v = vf_fma(vf_load(x + i) - mean, scale, shift);

        if (add)
            v = v + vf_load(add + i);
        vf_store(y + i, vf_act(act, v, lo, hi));
    }
    if (i < r->area) {
        vf v = vf_fma(vf_load_n(x + i, r->area - i) - mean, scale, shift);

        if (add)
            v = v + vf_load_n(add + i, r->area - i);
        vf_store_n(y + i, vf_act(act, v, lo, hi), r->area - i);
    }
}

/* Planes of a task: about SWEEP numbers.  */
static int64_t planes_per_task(const struct norm *r)
{
    return r->area < SWEEP ? SWEEP / r->area : 1;
}

static int64_t sweep_tasks(const struct norm *r)
{
    const int64_t per = planes_per_task(r);

    return (r->n * r->c + per - 1) / per;
}

static void sweep_task(void *norm, int64_t task, int thread)
{
    const struct norm *r = norm;
    const int64_t per = planes_per_task(r);

    (void)thread;
    for (int64_t p = task * per; p < (task + 1) * per && p < r->n * r->c; p++)
        sweep_plane(r, p);
}

static void forward(const struct kernel_args *a)
{
    const float *weight = a->op.in[WEIGHT].data, *bias = a->op.in[BIAS].data;
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
        const double invstd = 1 / sqrt(s.b + eps), scale = (weight ? weight[c] : 1) * invstd;
        struct channel *k = &r.channel[c];

        *k = (struct channel){.mean = (float)s.a, .scale = (float)scale};
        k->shift = (float)((bias ? bias[c] : 0) + (k->mean - s.a) * scale);
        if (keep_mean)
            keep_mean[c] = (float)s.a;
        if (keep_invstd)
            keep_invstd[c] = (float)invstd;
    }
    pool_run(a->pool, sweep_tasks(&r), sweep_task, &r);
}

/* ---- backward ---- */

static void products_task(void *norm, int64_t task, int thread)
{
    const struct norm *r = norm;
    const int64_t chunk = task / r->groups, c0 = task % r->groups * GROUP;
    const int64_t first = chunk * r->images;
    const int64_t last = first + r->images < r->n ? first + r->images : r->n;

    (void)thread;
    for (int64_t c = c0; c < c0 + GROUP && c < r->c; c++) {
        struct moments s = {0};

        for (int64_t n = first; n < last; n++) {
            const int64_t at = (n * r->c + c) * r->area;
            const struct moments p =
                plane_products(r->x + at, r->dy + at, r->area, r->channel[c].mean);

            s.a += p.a;
            s.b += p.b;
        }
        r->sums[chunk * r->c + c] = s;
    }
}

static struct moments channel_products(const struct norm *r, int64_t c)
{
    struct moments s = {0};

    for (int64_t i = 0; i < r->chunks; i++) {
        s.a += r->sums[i * r->c + c].a;
        s.b += r->sums[i * r->c + c].b;
    }
    return s;
}

static void gradient_plane(const struct norm *r, int64_t plane)
{
    const struct channel k = r->channel[plane % r->c];
    const vf mean = VF1(k.mean), scale = VF1(k.scale), slope = VF1(k.slope), shift = VF1(k.shift);
    const float *x = r->x + plane * r->area, *dy = r->dy + plane * r->area;
    float *dx = r->y + plane * r->area;
    int64_t i = 0;

    for (; i + VL <= r->area; i += VL)
        vf_store(dx + i,
                 vf_fma(vf_load(x + i) - mean, slope, vf_fma(vf_load(dy + i), scale, shift)));
    if (i < r->area) {
        const int64_t left = r->area - i;

        vf_store_n(dx + i,
                   vf_fma(vf_load_n(x + i, left) - mean, slope,
                          vf_fma(vf_load_n(dy + i, left), scale, shift)),
                   left);
    }
}

static void gradient_task(void *norm, int64_t task, int thread)
{
    const struct norm *r = norm;
    const int64_t per = planes_per_task(r);

    (void)thread;
    for (int64_t p = task * per; p < (task + 1) * per && p < r->n * r->c; p++)
        gradient_plane(r, p);
}

static void backward(const struct kernel_args *a)
{
    const float *weight = a->op.in[WEIGHT].data;
    const float *mean = a->op.out[MEAN].data, *invstd = a->op.out[INVSTD].data;
    float *dw = a->op.din[WEIGHT].data, *db = a->op.din[BIAS].data;
    struct norm r = norm_of(&a->op.in[X].shape);
    const double m = (double)(r.n * r.area);
    const int train = a->op.node->train;

    bind(&r, a);
    r.x = a->op.in[X].data;
    r.dy = a->op.dout[0].data;
    r.y = a->op.din[X].data;
    for (int64_t c = 0; c < r.c; c++)
        r.channel[c].mean = mean[c];
    pool_run(a->pool, r.chunks * r.groups, products_task, &r);
    for (int64_t c = 0; c < r.c; c++) {
        const struct moments s = channel_products(&r, c);
        const double scale = (weight ? weight[c] : 1) * (double)invstd[c];
        const double sum_dyh = s.b * invstd[c];
        struct channel *k = &r.channel[c];

        if (db)
            db[c] = (float)s.a;
        if (dw)
            dw[c] = (float)sum_dyh;
        k->scale = (float)scale;
        k->slope = train ? (float)(-scale * sum_dyh * invstd[c] / m) : 0;
        k->shift = train ? (float)(-scale * s.a / m) : 0;
    }
    if (r.y)
        pool_run(a->pool, sweep_tasks(&r), gradient_task, &r);
}

/* clang-format off */
#define COMMON .name = "norm_" ISA_NAME, .op = "batchnorm2d", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .scratch = scratch
/* clang-format on */

const struct kernel ISA(norm_kernels)[] = {
    {COMMON, .dir = DIR_FORWARD, .epilogue = follow_add_names, .accepts = follow_accepts,
     .run = forward},
    {COMMON, .dir = DIR_BACKWARD, .run = backward},
    {0},
};
