/* deform.c -- deformable convolution: what the taps read as columns, then
 * products of matrices.
 * SPDX-License-Identifier: MIT
 *
 * For each image col [C R S,P Q] holds the weighed samples; with it
 *     y = w col,  dw = dy col',  dcol = w' dy,
 * and dcol goes back to x, offset and mask.  Work is cut by sizes alone.  */
#include <string.h>

#include "base/cpuinfo.h"
#include "base/thread.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"
#include "graph/graph.h"
#include "op/deform.h"

enum { X, OFFSET, MASK, WEIGHT, BIAS };
enum { TILE_M = 64, TILE_N = 128, CHUNK = 64 };

struct job {
    struct deform g;
    const float *x, *offset, *mask, *w, *dy; /* of one image, but w */
    float *dx, *doffset, *dmask;             /* NULL: not wanted */
    float *col, *dcol;
    int64_t chunks;
};

static float *image(const struct tensor *t, int64_t i)
{
    const int64_t size = t->data ? tensor_count(t) / t->shape.dim[0] : 0;

    return t->data ? (float *)t->data + i * size : NULL;
}

static void set_image(struct job *j, const struct op_args *a, int64_t n)
{
    j->x = image(&a->in[X], n);
    j->offset = image(&a->in[OFFSET], n);
    j->mask = image(&a->in[MASK], n);
    j->w = a->in[WEIGHT].data;
}

/* ---- columns ---- */

/* A task: some outputs of one tap of an offset group.  */
static void col_task(void *job, int64_t task, int thread)
{
    const struct job *j = job;
    const struct deform *g = &j->g;
    const int64_t o = task / j->chunks / g->pw, t = task / j->chunks % g->pw;
    const int64_t from = task % j->chunks * CHUNK;

    (void)thread;
    for (int64_t i = from; i < from + CHUNK && i < g->py; i++) {
        const struct deform_spot s = deform_spot(g, j->offset, j->mask, o, t, i);

        for (int64_t c = o * g->co; c < (o + 1) * g->co; c++)
            j->col[(c * g->pw + t) * g->py + i] =
                (float)(s.mask * bilinear_sum(&s.b, s.b.part, j->x + c * g->px));
    }
}

/* doffset and dmask, from dcol.  */
static void place_task(void *job, int64_t task, int thread)
{
    const struct job *j = job;
    const struct deform *g = &j->g;
    const int64_t o = task / j->chunks / g->pw, t = task / j->chunks % g->pw;
    const int64_t from = task % j->chunks * CHUNK, at = o * g->pw + t;

    (void)thread;
    for (int64_t i = from; i < from + CHUNK && i < g->py; i++) {
        const struct deform_spot s = deform_spot(g, j->offset, j->mask, o, t, i);
        double down = 0, right = 0, mask = 0;

        for (int64_t c = o * g->co; c < (o + 1) * g->co; c++) {
            const double d = j->dcol[(c * g->pw + t) * g->py + i];

            down += d * s.mask * bilinear_sum(&s.b, s.b.down, j->x + c * g->px);
            right += d * s.mask * bilinear_sum(&s.b, s.b.right, j->x + c * g->px);
            mask += d * bilinear_sum(&s.b, s.b.part, j->x + c * g->px);
        }
        if (j->doffset) {
            j->doffset[2 * at * g->py + i] = (float)down;
            j->doffset[(2 * at + 1) * g->py + i] = (float)right;
        }
        if (j->dmask)
            j->dmask[at * g->py + i] = (float)mask;
    }
}

/* dx of one channel, from dcol.  */
static void channel_task(void *job, int64_t c, int thread)
{
    const struct job *j = job;
    const struct deform *g = &j->g;

    (void)thread;
    memset(j->dx + c * g->px, 0, (size_t)g->px * sizeof *j->dx);
    for (int64_t t = 0; t < g->pw; t++)
        for (int64_t i = 0; i < g->py; i++) {
            const struct deform_spot s = deform_spot(g, j->offset, j->mask, c / g->co, t, i);

            bilinear_back(&s.b, s.mask * j->dcol[(c * g->pw + t) * g->py + i], j->dx + c * g->px);
        }
}

static void run_places(const struct kernel_args *a, struct job *j, pool_fn *task)
{
    pool_run(a->pool, j->g.o * j->g.pw * j->chunks, task, j);
}

/* ---- products ---- */

struct product {
    struct gemm g;                                    /* of the first group */
    int64_t tiles_m, tiles_n, step_a, step_b, step_c; /* from group to group */
    unsigned isa;
    float *scratch;
};

static void tile_task(void *product, int64_t task, int thread)
{
    const struct product *p = product;
    const int64_t group = task / p->tiles_n / p->tiles_m;
    const int64_t i = task / p->tiles_n % p->tiles_m * TILE_M, j = task % p->tiles_n * TILE_N;
    struct gemm g = p->g;

    g.m = g.m - i < TILE_M ? g.m - i : TILE_M;
    g.n = g.n - j < TILE_N ? g.n - j : TILE_N;
    g.a += group * p->step_a + i * (g.a_turned ? 1 : g.lda);
    g.b += group * p->step_b + j * (g.b_turned ? g.ldb : 1);
    g.c += group * p->step_c + i * g.ldc + j;
    gemm_tile(&g, p->isa, p->scratch + (size_t)thread * gemm_scratch(TILE_M, TILE_N));
}

static void multiply(const struct kernel_args *a, struct product *p, int64_t groups)
{
    p->scratch = a->scratch;
    p->tiles_m = (p->g.m + TILE_M - 1) / TILE_M;
    p->tiles_n = (p->g.n + TILE_N - 1) / TILE_N;
    pool_run(a->pool, groups * p->tiles_m * p->tiles_n, tile_task, p);
}

/* The pieces that the three products are made of: w [KG,CG R S] and, of each
 * image, rows of P Q.  */
static struct product product(const struct job *j, unsigned isa, int64_t m, int64_t n, int64_t k)
{
    struct product p = {.isa = isa};

    p.g = (struct gemm){.m = m, .n = n, .k = k, .lda = j->g.py, .ldb = j->g.py, .ldc = j->g.py};
    return p;
}

static void times_columns(const struct kernel_args *a, const struct job *j, unsigned isa,
                          const float *bias, float *y)
{
    const struct deform *g = &j->g;
    struct product p = product(j, isa, g->kg, g->py, g->cg * g->pw);

    for (int64_t k = 0; bias && k < g->k; k++)
        for (int64_t i = 0; i < g->py; i++)
            y[k * g->py + i] = bias[k];
    p.g.a = j->w;
    p.g.lda = g->cg * g->pw;
    p.g.b = j->col;
    p.g.c = y;
    p.g.add = bias != NULL;
    p.step_a = g->kg * g->cg * g->pw;
    p.step_b = g->cg * g->pw * g->py;
    p.step_c = g->kg * g->py;
    multiply(a, &p, g->c / g->cg);
}

static void to_columns(const struct kernel_args *a, const struct job *j, unsigned isa)
{
    const struct deform *g = &j->g;
    struct product p = product(j, isa, g->cg * g->pw, g->py, g->kg);

    p.g.a = j->w;
    p.g.lda = g->cg * g->pw;
    p.g.a_turned = 1;
    p.g.b = j->dy;
    p.g.c = j->dcol;
    p.step_a = g->kg * g->cg * g->pw;
    p.step_b = g->kg * g->py;
    p.step_c = g->cg * g->pw * g->py;
    multiply(a, &p, g->c / g->cg);
}

static void to_weight(const struct kernel_args *a, const struct job *j, unsigned isa, int add,
                      float *dw)
{
    const struct deform *g = &j->g;
    struct product p = product(j, isa, g->kg, g->cg * g->pw, g->py);

    p.g.a = j->dy;
    p.g.b = j->col;
    p.g.b_turned = 1;
    p.g.c = dw;
    p.g.ldc = g->cg * g->pw;
    p.g.add = add;
    p.step_a = g->kg * g->py;
    p.step_b = g->cg * g->pw * g->py;
    p.step_c = g->kg * g->cg * g->pw;
    multiply(a, &p, g->c / g->cg);
}

/* ---- the op ---- */

/* The tiles' scratch, then the columns: two of them for gradients.  */
static size_t tiles(int threads)
{
    return (gemm_scratch(TILE_M, TILE_N) * (size_t)threads + 15) / 16 * 16;
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct node *n = s->node[0];
    const int back = n->dir == DIR_BACKWARD;
    const struct value *out = back ? n->in[n->n_in - 1] : n->out[0];
    const struct shape x = shape_bind(n->in[X]->shape, s->batch);
    const struct shape y = shape_bind(out->shape, s->batch);
    const struct deform g = deform_of(n, &x, &y);

    return (tiles(threads) + (size_t)(g.c * g.pw * g.py) * (back ? 2 : 1)) * sizeof(float);
}

static struct job job_of(const struct kernel_args *a, const struct shape *y)
{
    struct job j = {.g = deform_of(a->op.node, &a->op.in[X].shape, y)};

    j.chunks = (j.g.py + CHUNK - 1) / CHUNK;
    j.col = (float *)a->scratch + tiles(pool_threads(a->pool));
    j.dcol = j.col + j.g.c * j.g.pw * j.g.py;
    return j;
}

static void forward(const struct kernel_args *a, unsigned isa)
{
    struct job j = job_of(a, &a->op.out[0].shape);

    for (int64_t n = 0; n < j.g.n; n++) {
        set_image(&j, &a->op, n);
        run_places(a, &j, col_task);
        times_columns(a, &j, isa, a->op.in[BIAS].data, image(&a->op.out[0], n));
    }
}

static void bias_task(void *args, int64_t k, int thread)
{
    const struct kernel_args *a = args;
    const struct tensor *dy = &a->op.dout[0];
    const int64_t size = dy->shape.dim[2] * dy->shape.dim[3];
    double sum = 0;

    (void)thread;
    for (int64_t n = 0; n < dy->shape.dim[0]; n++)
        for (int64_t i = 0; i < size; i++)
            sum += image(dy, n)[k * size + i];
    ((float *)a->op.din[BIAS].data)[k] = (float)sum;
}

static void backward(const struct kernel_args *a, unsigned isa)
{
    const struct tensor *din = a->op.din;
    struct job j = job_of(a, &a->op.dout[0].shape);

    for (int64_t n = 0; n < j.g.n; n++) {
        set_image(&j, &a->op, n);
        j.dy = image(&a->op.dout[0], n);
        j.dx = image(&din[X], n);
        j.doffset = image(&din[OFFSET], n);
        j.dmask = image(&din[MASK], n);
        if (j.dx || j.doffset || j.dmask)
            to_columns(a, &j, isa);
        if (j.dx)
            pool_run(a->pool, j.g.c, channel_task, &j);
        if (j.doffset || j.dmask)
            run_places(a, &j, place_task);
        if (!din[WEIGHT].data)
            continue;
        run_places(a, &j, col_task);
        to_weight(a, &j, isa, n > 0, din[WEIGHT].data);
    }
    if (din[BIAS].data)
        pool_run(a->pool, j.g.k, bias_task, (void *)a);
}

/* clang-format off */
#define VARIANT(v, bits) \
    static void forward_##v(const struct kernel_args *a) { forward(a, bits); } \
    static void backward_##v(const struct kernel_args *a) { backward(a, bits); }
#define ROW(v, bits, d, f) \
    {.name = "deform_" #v, .op = "deformconv2d", .dir = d, .isa = bits, \
     .dtypes = 1 << DTYPE_F32, .scratch = scratch, .run = f##_##v}
#define ROWS(v, bits) ROW(v, bits, DIR_FORWARD, forward), ROW(v, bits, DIR_BACKWARD, backward),

GEMM_ISAS(VARIANT)

const struct kernel deform_kernels[] = {
    GEMM_ISAS(ROWS) {0},
};
/* clang-format on */
