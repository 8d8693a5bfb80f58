/* linear.c -- linear layers by tiles of matrix products.
 * SPDX-License-Identifier: MIT
 *
 * Tiles are cut by the sizes of the product alone (gemm.h).  */
#include <string.h>

#include "base/cpuinfo.h"
#include "base/thread.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"
#include "graph/graph.h"

enum { X, WEIGHT, BIAS };
enum { TILE_M = 128, TILE_N = 256, LEAST_M = 16, LEAST_N = 64, ENOUGH = 16 };

struct product {
    struct gemm g; /* the whole */
    int64_t mb, nb, tiles_n;
    const float *bias; /* [n], where a tile starts from; NULL: from zero */
    unsigned isa;
    float *scratch;
    size_t scratch_floats; /* of a thread */
};

static void tile_task(void *product, int64_t task, int thread)
{
    const struct product *p = product;
    const int64_t i = task / p->tiles_n * p->mb, j = task % p->tiles_n * p->nb;
    struct gemm g = p->g;

    g.m = g.m - i < p->mb ? g.m - i : p->mb;
    g.n = g.n - j < p->nb ? g.n - j : p->nb;
    g.a += i * (g.a_turned ? 1 : g.lda);
    g.b += j * (g.b_turned ? g.ldb : 1);
    g.c += i * g.ldc + j;
    g.add = p->bias != NULL;
    for (int64_t r = 0; p->bias && r < g.m; r++)
        memcpy(g.c + r * g.ldc, p->bias + j, (size_t)g.n * sizeof *g.c);
    gemm_tile(&g, p->isa, p->scratch + (size_t)thread * p->scratch_floats);
}

static void multiply(const struct kernel_args *a, struct product *p)
{
    p->mb = TILE_M;
    p->nb = TILE_N;
    while ((p->mb > LEAST_M || p->nb > LEAST_N) &&
           ((p->g.m + p->mb - 1) / p->mb) * ((p->g.n + p->nb - 1) / p->nb) < ENOUGH) {
        if (p->nb > LEAST_N)
            p->nb /= 2;
        else
            p->mb /= 2;
    }
    p->tiles_n = (p->g.n + p->nb - 1) / p->nb;
    p->scratch = a->scratch;
    p->scratch_floats = gemm_scratch(TILE_M, TILE_N);
    pool_run(a->pool, (p->g.m + p->mb - 1) / p->mb * p->tiles_n, tile_task, p);
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    (void)s;
    return gemm_scratch(TILE_M, TILE_N) * (size_t)threads * sizeof(float);
}

struct sizes {
    int64_t rows, c, k;
};

static struct sizes sizes(const struct tensor *x, const struct tensor *y)
{
    const int64_t c = x->shape.dim[x->shape.rank - 1], k = y->shape.dim[y->shape.rank - 1];

    return (struct sizes){tensor_count(y) / k, c, k};
}

static void forward(const struct kernel_args *a, unsigned isa)
{
    const struct sizes s = sizes(&a->op.in[X], &a->op.out[0]);
    struct product p = {.isa = isa, .bias = a->op.in[BIAS].data};

    p.g = (struct gemm){.m = s.rows, .n = s.k, .k = s.c, .lda = s.c, .ldb = s.c, .ldc = s.k};
    p.g.a = a->op.in[X].data;
    p.g.b = a->op.in[WEIGHT].data;
    p.g.b_turned = 1;
    p.g.c = a->op.out[0].data;
    multiply(a, &p);
}

/* db[k]: the sum of column k of dy.  */
struct columns {
    const float *dy;
    float *db;
    int64_t rows, k;
};

static void column_task(void *columns, int64_t task, int thread)
{
    const struct columns *c = columns;
    double sum = 0;

    (void)thread;
    for (int64_t i = 0; i < c->rows; i++)
        sum += c->dy[i * c->k + task];
    c->db[task] = (float)sum;
}

static void backward(const struct kernel_args *a, unsigned isa)
{
    const struct sizes s = sizes(&a->op.in[X], &a->op.dout[0]);
    struct product dx = {.isa = isa}, dw = {.isa = isa};
    struct columns db = {a->op.dout[0].data, a->op.din[BIAS].data, s.rows, s.k};

    dx.g = (struct gemm){.m = s.rows, .n = s.c, .k = s.k, .lda = s.k, .ldb = s.c, .ldc = s.c};
    dx.g.a = dw.g.a = a->op.dout[0].data;
    dx.g.b = a->op.in[WEIGHT].data;
    dx.g.c = a->op.din[X].data;
    if (dx.g.c)
        multiply(a, &dx);
    dw.g.m = s.k, dw.g.n = s.c, dw.g.k = s.rows;
    dw.g.lda = s.k, dw.g.ldb = dw.g.ldc = s.c;
    dw.g.a_turned = 1;
    dw.g.b = a->op.in[X].data;
    dw.g.c = a->op.din[WEIGHT].data;
    if (dw.g.c)
        multiply(a, &dw);
    if (db.db)
        pool_run(a->pool, s.k, column_task, &db);
}

/* clang-format off */
#define VARIANT(v, bits) \
    static void forward_##v(const struct kernel_args *a) { forward(a, bits); } \
    static void backward_##v(const struct kernel_args *a) { backward(a, bits); }
#define ROWS(v, bits) \
    {.name = "linear_" #v, .op = "linear", .dir = DIR_FORWARD, .isa = bits, \
     .dtypes = 1 << DTYPE_F32, .scratch = scratch, .run = forward_##v}, \
    {.name = "linear_" #v, .op = "linear", .dir = DIR_BACKWARD, .isa = bits, \
     .dtypes = 1 << DTYPE_F32, .scratch = scratch, .run = backward_##v},

GEMM_ISAS(VARIANT)

const struct kernel linear_kernels[] = {
    GEMM_ISAS(ROWS) {0},
};
/* clang-format on */
