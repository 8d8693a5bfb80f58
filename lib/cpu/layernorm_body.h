/* layernorm_body.h -- normalisation of rows along the last axis; compiled once
 * per instruction set.
 * SPDX-License-Identifier: MIT
 *
 * Sums run over a row in lanes of float, the variance around the row's mean.
 * Gradients of the parameters are sums of float over the rows of a chunk,
 * then of double over the chunks, whose number depends on the shape alone.  */
#include <math.h>
#include <string.h>

#include "base/thread.h"
#include "cpu/kernels.h"
#include "cpu/vec.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { X, WEIGHT, BIAS };
enum { Y, MEAN, INVSTD };
enum { CHUNKS = 32, SWEEP = 8192 };

struct rows {
    int64_t n, c, chunk; /* rows; rows of a task */
    double eps;
    const float *x, *dy, *weight, *bias;
    float *y, *mean, *invstd; /* y: dx in backward */
    float *dweight, *dbias;   /* [chunks][c] */
};

static struct rows rows_of(const struct shape *x, int back)
{
    struct rows r = {.c = x->dim[x->rank - 1]};

    r.n = shape_count(x) / r.c;
    r.chunk = back ? (r.n + CHUNKS - 1) / CHUNKS : SWEEP / r.c;
    r.chunk = r.chunk > 1 ? r.chunk : 1;
    return r;
}

static int64_t chunks(const struct rows *r)
{
    return (r->n + r->chunk - 1) / r->chunk;
}

/* N lanes; FILL behind them.  */
INLINE vf load_part(const float *p, int64_t n, vf fill)
{
    float t[VL];

    if (n >= VL)
        return vf_load(p);
    vf_store(t, fill);
    memcpy(t, p, (size_t)n * sizeof *t);
    return vf_load(t);
}

INLINE void store_part(float *p, vf v, int64_t n)
{
    if (n >= VL)
        vf_store(p, v);
    else
        vf_store_n(p, v, n);
}

/* Absent parameters are ones and zeros.  */
INLINE vf load_or(const float *p, int64_t i, int64_t n, vf other)
{
    return p ? load_part(p + i, n, other) : other;
}

/* ---- forward ---- */

static float row_mean(const float *x, int64_t c)
{
    vf sum = VF0;

    for (int64_t i = 0; i < c; i += VL)
        sum = sum + load_part(x + i, c - i, VF0);
    return vf_sum(sum) / (float)c;
}

static float row_invstd(const float *x, int64_t c, float mean, double eps)
{
    const vf m = VF1(mean);
    vf sum = VF0;

    for (int64_t i = 0; i < c; i += VL) {
        const vf d = load_part(x + i, c - i, m) - m;

        sum = vf_fma(d, d, sum);
    }
    return (float)(1 / sqrt((double)vf_sum(sum) / (double)c + eps));
}

static void forward_task(void *rows, int64_t task, int thread)
{
    const struct rows *r = rows;
    const int64_t from = task * r->chunk, end = from + r->chunk < r->n ? from + r->chunk : r->n;

    (void)thread;
    for (int64_t n = from; n < end; n++) {
        const float *x = r->x + n * r->c;
        const float mean = row_mean(x, r->c), invstd = row_invstd(x, r->c, mean, r->eps);

        for (int64_t i = 0; i < r->c; i += VL) {
            const int64_t k = r->c - i;
            const vf h = (load_part(x + i, k, VF0) - VF1(mean)) * VF1(invstd);

            store_part(r->y + n * r->c + i,
                       vf_fma(h, load_or(r->weight, i, k, VF1(1.0f)), load_or(r->bias, i, k, VF0)),
                       k);
        }
        if (r->mean)
            r->mean[n] = mean;
        if (r->invstd)
            r->invstd[n] = invstd;
    }
}

static void forward(const struct kernel_args *a)
{
    struct rows r = rows_of(&a->op.in[X].shape, 0);

    r.eps = attr_real(a->op.node, "eps");
    r.x = a->op.in[X].data;
    r.weight = a->op.in[WEIGHT].data;
    r.bias = a->op.in[BIAS].data;
    r.y = a->op.out[Y].data;
    r.mean = a->op.out[MEAN].data;
    r.invstd = a->op.out[INVSTD].data;
    pool_run(a->pool, chunks(&r), forward_task, &r);
}

/* ---- backward ---- */

/* dx = invstd (g - mean(g) - h mean(g h)), g = weight dy, of row N.  */
static void row_backward(const struct rows *r, int64_t n)
{
    const float *x = r->x + n * r->c, *dy = r->dy + n * r->c;
    const vf mean = VF1(r->mean[n]), invstd = VF1(r->invstd[n]);
    vf sum_g = VF0, sum_gh = VF0;

    for (int64_t i = 0; i < r->c; i += VL) {
        const int64_t k = r->c - i;
        const vf g = load_part(dy + i, k, VF0) * load_or(r->weight, i, k, VF1(1.0f));

        sum_g = sum_g + g;
        sum_gh = vf_fma(g, (load_part(x + i, k, mean) - mean) * invstd, sum_gh);
    }
    const vf g_mean = VF1(vf_sum(sum_g) / (float)r->c);
    const vf gh_mean = VF1(vf_sum(sum_gh) / (float)r->c);

    for (int64_t i = 0; i < r->c; i += VL) {
        const int64_t k = r->c - i;
        const vf g = load_part(dy + i, k, VF0) * load_or(r->weight, i, k, VF1(1.0f));
        const vf h = (load_part(x + i, k, mean) - mean) * invstd;

        store_part(r->y + n * r->c + i, invstd * vf_fnma(h, gh_mean, g - g_mean), k);
    }
}

/* Row N added to the sums of chunk CHUNK.  */
static void row_sums(const struct rows *r, int64_t n, int64_t chunk)
{
    const float *x = r->x + n * r->c, *dy = r->dy + n * r->c;
    const vf mean = VF1(r->mean[n]), invstd = VF1(r->invstd[n]);
    float *dw = r->dweight + chunk * r->c, *db = r->dbias + chunk * r->c;

    for (int64_t i = 0; i < r->c; i += VL) {
        const int64_t k = r->c - i;
        const vf d = load_part(dy + i, k, VF0);
        const vf h = (load_part(x + i, k, mean) - mean) * invstd;

        store_part(dw + i, vf_fma(d, h, load_part(dw + i, k, VF0)), k);
        store_part(db + i, d + load_part(db + i, k, VF0), k);
    }
}

static void backward_task(void *rows, int64_t task, int thread)
{
    const struct rows *r = rows;
    const int64_t from = task * r->chunk, end = from + r->chunk < r->n ? from + r->chunk : r->n;

    (void)thread;
    memset(r->dweight + task * r->c, 0, (size_t)r->c * sizeof(float));
    memset(r->dbias + task * r->c, 0, (size_t)r->c * sizeof(float));
    for (int64_t n = from; n < end; n++) {
        if (r->y)
            row_backward(r, n);
        row_sums(r, n, task);
    }
}

static void join(const struct rows *r, const float *sums, float *to)
{
    for (int64_t i = 0; to && i < r->c; i++) {
        double sum = 0;

        for (int64_t k = 0; k < chunks(r); k++)
            sum += sums[k * r->c + i];
        to[i] = (float)sum;
    }
}

static void backward(const struct kernel_args *a)
{
    struct rows r = rows_of(&a->op.in[X].shape, 1);

    r.x = a->op.in[X].data;
    r.weight = a->op.in[WEIGHT].data;
    r.mean = a->op.out[MEAN].data;
    r.invstd = a->op.out[INVSTD].data;
    r.dy = a->op.dout[0].data;
    r.y = a->op.din[X].data;
    r.dweight = a->scratch;
    r.dbias = r.dweight + chunks(&r) * r.c;
    pool_run(a->pool, chunks(&r), backward_task, &r);
    join(&r, r.dweight, a->op.din[WEIGHT].data);
    join(&r, r.dbias, a->op.din[BIAS].data);
}

/* ---- the record ---- */

static int accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];

    return attr_int(n, "axis") == n->in[X]->shape.rank - 1;
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct shape x = shape_bind(s->node[0]->in[X]->shape, s->batch);
    const struct rows r = rows_of(&x, 1);

    (void)threads;
    return (size_t)(2 * chunks(&r) * r.c) * sizeof(float);
}

/* clang-format off */
#define COMMON .name = "layernorm_" ISA_NAME, .op = "layernorm", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .accepts = accepts

const struct kernel ISA(layernorm_kernels)[] = {
    {COMMON, .dir = DIR_FORWARD, .run = forward},
    {COMMON, .dir = DIR_BACKWARD, .scratch = scratch, .run = backward},
    {0},
};
/* clang-format on */
