/* matmul_body.h -- products of stacks of matrices; compiled once per
 * instruction set.
 * SPDX-License-Identifier: MIT
 *
 * A task is some tiles of rows of one product; it packs the matrix on the
 * right into panels of 16 columns.  Every number is one chain.  */
#include <string.h>

#include "base/thread.h"
#include "cpu/kernels.h"
#include "cpu/round.h"
#include "cpu/transpose.h"
#include "graph/graph.h"
#include "op/axis.h"

typedef float slot;
typedef vf vacc;
enum { PIXEL = LANES };
#define product outer
#define store   vf_store
#define NOTHING VF0
#define ASKS    OUTER_ASKS
#include "cpu/tiles.inc"

enum { A, B };
enum { TASKS = 4 }; /* at least, for each thread */

/* A matrix in memory; turned: its transpose is meant.  */
struct matrix {
    const float *p;
    int64_t ld;
    int turned;
};

/* y [M,N] = l [M,K] r [K,N], for each of COUNT.  */
struct products {
    struct shape a, b, y; /* the stacks; each operand is broadcast over y */
    int64_t m, k, n, count;
    struct matrix l, r;
    const struct shape *of_l, *of_r; /* a, b or y */
    float *to;
    int64_t tiles, chunks;
    float *scratch;
    size_t scratch_floats; /* of a thread */
};

static struct shape stack(const struct shape *s)
{
    struct shape r = *s;

    r.rank -= 2;
    r.batch &= (uint8_t)((1 << r.rank) - 1);
    return r;
}

static size_t product_floats(int64_t k, int64_t n)
{
    return (size_t)(round_up(n, LANES) * k + MR * round_up(k, LANES));
}

/* R as [n/16][k][16].  */
static void pack_right(const struct products *p, const float *r, float *to)
{
    for (int64_t j = 0; j < p->n; j += LANES, to += p->k * LANES) {
        const int64_t here = p->n - j < LANES ? p->n - j : LANES;

        if (here < LANES)
            memset(to, 0, (size_t)(p->k * LANES) * sizeof *to);
        if (p->r.turned)
            transpose(to, LANES, r + j * p->r.ld, p->r.ld, here, p->k);
        else
            for (int64_t i = 0; i < p->k; i++)
                memcpy(to + i * LANES, r + i * p->r.ld + j, (size_t)here * sizeof *to);
    }
}

/* Rows [I, I + M) of L as [k/16][m][16].  */
static void copy_left(const struct products *p, const float *l, int64_t i, int64_t m, float *to)
{
    for (int64_t q = 0; q < p->k; q += LANES, to += m * LANES) {
        const int64_t here = p->k - q < LANES ? p->k - q : LANES;

        if (p->l.turned)
            transpose(to, LANES, l + q * p->l.ld + i, p->l.ld, here, m);
        else
            for (int64_t r = 0; r < m; r++)
                memcpy(to + r * LANES, l + (i + r) * p->l.ld + q, (size_t)here * sizeof *to);
    }
}

static void multiply_tile(const struct products *p, const float *left, const float *right,
                          int64_t m, float *to)
{
    const int64_t panels = up(p->n, LANES);
    struct tile t = tile_make(left, right, p->k);
    float sums[SUMS];

    for (int64_t j = 0; j < panels; j += PANELS, t.w += PANELS * t.panel) {
        const int whole = j + PANELS <= panels;
        const int64_t at = j * LANES, most = (whole ? PANELS : 1) * LANES;
        const int64_t n = p->n - at < most ? p->n - at : most;

        tiles[m - 1][whole](&t, sums);
        for (int64_t i = 0; i < m; i++)
            memcpy(to + i * p->n + at, sums + i * PANELS * LANES, (size_t)n * sizeof *to);
    }
}

static int64_t tile_row(const struct products *p, int64_t tile)
{
    return tile * p->m / p->tiles;
}

static void product_task(void *products, int64_t task, int thread)
{
    const struct products *p = products;
    const int64_t i = task / p->chunks, chunk = task % p->chunks;
    const float *l = p->l.p + axis_broadcast(p->of_l, &p->y, i) * p->m * p->k;
    const float *r = p->r.p + axis_broadcast(p->of_r, &p->y, i) * p->k * p->n;
    float *right = p->scratch + (size_t)thread * p->scratch_floats;
    float *left = right + round_up(p->n, LANES) * p->k;

    pack_right(p, r, right);
    for (int64_t q = chunk * p->tiles / p->chunks; q < (chunk + 1) * p->tiles / p->chunks; q++) {
        const int64_t row = tile_row(p, q), m = tile_row(p, q + 1) - row;

        copy_left(p, l, row, m, left);
        multiply_tile(p, left, right, m, p->to + (i * p->m + row) * p->n);
    }
}

static void run_products(const struct kernel_args *a, struct products *p, int64_t m, int64_t k,
                         int64_t n)
{
    p->m = m;
    p->k = k;
    p->n = n;
    p->count = shape_count(&p->y);
    p->tiles = up(m, MR);
    p->chunks = up(TASKS * (int64_t)pool_threads(a->pool), p->count);
    if (p->chunks > p->tiles)
        p->chunks = p->tiles;
    p->scratch = a->scratch;
    p->scratch_floats = product_floats(k, n);
    pool_run(a->pool, p->count * p->chunks, product_task, p);
}

/* ---- forward ---- */

static void forward(const struct kernel_args *args)
{
    const struct tensor *a = &args->op.in[A], *b = &args->op.in[B], *y = &args->op.out[0];
    struct products p = {.a = stack(&a->shape), .b = stack(&b->shape), .y = stack(&y->shape)};
    const int64_t m = y->shape.dim[p.y.rank], n = y->shape.dim[p.y.rank + 1];
    const int64_t k = a->shape.dim[p.a.rank + 1];

    p.l = (struct matrix){a->data, k, 0};
    p.r = (struct matrix){b->data, n, 0};
    p.of_l = &p.a;
    p.of_r = &p.b;
    p.to = y->data;
    run_products(args, &p, m, k, n);
}

/* ---- backward ---- */

/* da = dy b', db = a' dy.  */
static void backward(const struct kernel_args *args)
{
    const struct tensor *a = &args->op.in[A], *b = &args->op.in[B], *dy = &args->op.dout[0];
    struct products p = {.a = stack(&a->shape), .b = stack(&b->shape), .y = stack(&dy->shape)};
    const int64_t m = dy->shape.dim[p.y.rank], n = dy->shape.dim[p.y.rank + 1];
    const int64_t k = a->shape.dim[p.a.rank + 1];

    p.of_l = p.of_r = &p.y;
    if (args->op.din[A].data) {
        p.l = (struct matrix){dy->data, n, 0};
        p.r = (struct matrix){b->data, n, 1};
        p.to = args->op.din[A].data;
        run_products(args, &p, m, n, k);
    }
    if (args->op.din[B].data) {
        p.l = (struct matrix){a->data, k, 1};
        p.r = (struct matrix){dy->data, n, 0};
        p.to = args->op.din[B].data;
        run_products(args, &p, k, m, n);
    }
}

/* ---- the record ---- */

/* Nothing is broadcast: no gradient is a sum over products.  */
static int back_accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    const struct shape a = stack(&n->in_shape[A]), b = stack(&n->in_shape[B]);
    const struct shape y = stack(&n->in[n->n_in - 1]->shape);

    return shape_equal(&a, &y) && shape_equal(&b, &y);
}

static size_t scratch(const struct step_nodes *s, int threads)
{
    const struct node *node = s->node[0];
    const int back = node->dir == DIR_BACKWARD;
    const struct shape a = shape_bind(back ? node->in_shape[A] : node->in[A]->shape, s->batch);
    const struct shape b = shape_bind(back ? node->in_shape[B] : node->in[B]->shape, s->batch);
    const int64_t m = a.dim[a.rank - 2], k = a.dim[a.rank - 1], n = b.dim[b.rank - 1];
    const size_t da = product_floats(n, k), db = product_floats(m, n);
    const size_t most = back ? (da > db ? da : db) : product_floats(k, n);

    return (size_t)threads * most * sizeof(float);
}

/* clang-format off */
#define COMMON .name = "matmul_" ISA_NAME, .op = "matmul", .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_F32, .scratch = scratch

const struct kernel ISA(matmul_kernels)[] = {
    {COMMON, .dir = DIR_FORWARD, .run = forward},
    {COMMON, .dir = DIR_BACKWARD, .accepts = back_accepts, .run = backward},
    {0},
};
/* clang-format on */
