/* eltwise_8_body.h -- what stands between layers of 8 bits: quantize,
 * dequantize and sums; compiled once per instruction set.
 * SPDX-License-Identifier: MIT  */
#include "base/thread.h"
#include "cpu/kernels.h"
#include "cpu/vec8.h"
#include "graph/graph.h"
#include "op/quant8.h"

enum { CHUNK = 32768 };

struct job {
    const uint8_t *a, *b;
    const float *x;
    void *y;
    int64_t count;
    struct grid8 ga;
    struct requant q;
    struct levels levels;
    struct sum8 sum;
};

static int64_t chunk(const struct job *j, int64_t task, int64_t *n)
{
    *n = j->count - task * CHUNK < CHUNK ? j->count - task * CHUNK : CHUNK;
    return task * CHUNK;
}

static void run_chunks(const struct kernel_args *a, struct job *j, pool_fn *f)
{
    j->levels = (struct levels){j->q.lo, j->q.hi, j->q.zero};
    pool_run(a->pool, (j->count + CHUNK - 1) / CHUNK, f, j);
}

/* ---- quantize, dequantize ---- */

static int one_grid(const struct step_nodes *s)
{
    struct grid8 g;

    return grid8_of(s->node[0], &g) == 0;
}

/* As levels, but a NaN gives the zero point.  */
INLINE vf level_of(const struct job *j, vf x)
{
    const vf v = x / VF1(j->ga.scale), low = VF1(-1e30f);
    const vf finite = vf_gt(v, low, v, vf_gt(VF1(-1e29f), v, low, VF0));

    return vf_level(&j->levels, finite);
}

static void quantize_task(void *job, int64_t task, int thread)
{
    const struct job *j = job;
    int64_t n, at = chunk(j, task, &n), i = 0;
    const float *x = j->x + at;
    uint8_t *y = (uint8_t *)j->y + at;

    (void)thread;
    for (; i + VL <= n; i += VL)
        vf_store_u8(y + i, level_of(j, vf_load(x + i)));
    if (i < n)
        vf_store_u8_n(y + i, level_of(j, vf_load_n(x + i, n - i)), n - i);
}

static void quantize(const struct kernel_args *a)
{
    struct job j = {.x = a->op.in[0].data, .y = a->op.out[0].data};

    grid8_of(a->op.node, &j.ga);
    j.count = tensor_count(&a->op.in[0]);
    j.q.zero = (float)j.ga.zero;
    j.q.lo = 0 - j.q.zero;
    j.q.hi = 255 - j.q.zero;
    run_chunks(a, &j, quantize_task);
}

static void dequantize_task(void *job, int64_t task, int thread)
{
    const struct job *j = job;
    const vf zero = VF1((float)j->ga.zero), scale = VF1(j->ga.scale);
    int64_t n, at = chunk(j, task, &n), i = 0;
    float *y = (float *)j->y + at;

    (void)thread;
    for (; i + VL <= n; i += VL)
        vf_store(y + i, (vf_of_u8(j->a + at + i) - zero) * scale);
    if (i < n)
        vf_store_n(y + i, (vf_of_u8_n(j->a + at + i, n - i) - zero) * scale, n - i);
}

static void dequantize(const struct kernel_args *a)
{
    struct job j = {.a = a->op.in[0].data, .y = a->op.out[0].data};

    grid8_of(a->op.node, &j.ga);
    j.count = tensor_count(&a->op.in[0]);
    run_chunks(a, &j, dequantize_task);
}

/* ---- add ---- */

/* The result is u8: a float one is left to the float kernel.  */
static int gives_u8(const struct step_nodes *s, struct requant *q)
{
    return quant8_requant(s, q) == 0 && q->to_u8;
}

static int add_accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    struct requant q;
    struct grid8 g;

    return n->n_join == 2 && gives_u8(s, &q) && grid8_operand(n, 0, &g) == 0 &&
           grid8_operand(n, 1, &g) == 0 && shape_equal(&n->in[0]->shape, &n->in[1]->shape);
}

static void add_task(void *job, int64_t task, int thread)
{
    const struct job *j = job;
    const struct sum8 t = j->sum; /* y could be any of it to the compiler */
    int64_t n, at = chunk(j, task, &n), i = 0;
    const uint8_t *a = j->a + at, *b = j->b + at;
    uint8_t *y = (uint8_t *)j->y + at;

    (void)thread;
    for (; i + VL <= n; i += VL)
        vf_store_u8(y + i, vf_level(&t.levels, vf_sum8(&t, vf_of_u8(a + i), vf_of_u8(b + i))));
    if (i < n)
        vf_store_u8_n(
            y + i,
            vf_level(&t.levels, vf_sum8(&t, vf_of_u8_n(a + i, n - i), vf_of_u8_n(b + i, n - i))),
            n - i);
}

static void add(const struct kernel_args *a)
{
    struct job j = {.a = a->op.in[0].data, .b = a->op.in[1].data, .y = a->op.out[0].data};

    struct grid8 ga = {0}, gb = {0};

    grid8_operand(a->op.node, 0, &ga);
    grid8_operand(a->op.node, 1, &gb);
    quant8_requant(a->step, &j.q);
    j.sum = quant8_sum(&ga, &gb, &j.q);
    j.count = tensor_count(&a->op.in[0]);
    run_chunks(a, &j, add_task);
}

/* clang-format off */
#define COMMON(o) .name = #o "_8_" ISA_NAME, .op = #o, .isa = ISA_BITS, \
    .dtypes = 1 << DTYPE_U8 | 1 << DTYPE_I8 | 1 << DTYPE_I32 | 1 << DTYPE_F32
#define BETWEEN .quantised = 1, .epilogue = quant8_follow

const struct kernel ISA(eltwise_8_kernels)[] = {
    {COMMON(quantize), .any_layout = 1, .accepts = one_grid, .run = quantize},
    {COMMON(dequantize), .any_layout = 1, .accepts = one_grid, .run = dequantize},
    {COMMON(add), BETWEEN, .any_layout = 1, .accepts = add_accepts, .run = add},
    {0},
};
/* clang-format on */
