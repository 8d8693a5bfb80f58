/* concat_blocked_8_body.h -- blocked u8 values put together along their
 * channels, each moved from its grid to the result's; compiled once per
 * instruction set.
 * SPDX-License-Identifier: MIT
 *
 * A group of 16 channels of the result is made of runs: neighbouring channels
 * of one group of a source.  */
#include "base/thread.h"
#include "cpu/kernels.h"
#include "cpu/vec8.h"
#include "graph/attr.h"
#include "graph/graph.h"

enum { PV = LANES / VL };

struct join {
    const struct kernel_args *a;
    int64_t groups, area, c; /* of the result */
    struct requant q;
    struct levels levels;
};

struct run {
    const uint8_t *from; /* lane 0 of the result's group would stand here */
    int lane, n;
};

/* Where the channels of a group come from, and what becomes of them.  */
struct sources {
    struct run run[LANES];
    int n, same; /* runs; levels stay what they are */
    float zero[LANES], scale[LANES];
};

/* The operand that channel *C of the result is of; *C becomes one of its.  */
static int operand_of(const struct kernel_args *a, int64_t *c)
{
    int k = 0;

    while (*c >= a->op.in[k].shape.dim[1])
        *c -= a->op.in[k++].shape.dim[1];
    return k;
}

static struct sources sources_of(const struct join *j, int64_t image, int64_t first)
{
    const struct requant *q = &j->q;
    struct sources s = {.same = q->lo == 0 - q->zero && q->hi == 255 - q->zero};
    int lane = 0;

    while (lane < LANES && first + lane < j->c) {
        int64_t c = first + lane;
        const int k = operand_of(j->a, &c);
        const struct tensor *t = &j->a->op.in[k];
        const int64_t left = t->shape.dim[1] - c, groups = (t->shape.dim[1] + LANES - 1) / LANES;
        struct grid8 g = {0};
        int n = LANES - (int)(c % LANES);

        n = n < LANES - lane ? n : LANES - lane;
        n = n < left ? n : (int)left;
        s.run[s.n++] =
            (struct run){(const uint8_t *)t->data + (image * groups + c / LANES) * j->area * LANES +
                             c % LANES - lane,
                         lane, n};
        grid8_operand(j->a->op.node, k, &g);
        s.same &= g.scale == q->scale && (float)g.zero == q->zero;
        for (; n; n--, lane++) {
            s.zero[lane] = (float)g.zero;
            s.scale[lane] = g.scale;
        }
    }
    return s;
}

/* One pixel: the runs, P bytes from their beginning.  */
INLINE void gather(const struct sources *s, int64_t p, uint8_t *to)
{
#if defined(__AVX512F__)
    __m128i v = _mm_setzero_si128();

    for (int i = 0; i < s->n; i++)
        v = _mm_mask_loadu_epi8(v, (__mmask16)(((1u << s->run[i].n) - 1) << s->run[i].lane),
                                s->run[i].from + p);
    _mm_storeu_si128((__m128i *)to, v);
#else
    memset(to, 0, LANES);
    for (int i = 0; i < s->n; i++)
        memcpy(to + s->run[i].lane, s->run[i].from + p + s->run[i].lane, (size_t)s->run[i].n);
#endif
}

static void join_task(void *join, int64_t task, int thread)
{
    const struct join *j = join;
    const struct sources s = sources_of(j, task / j->groups, task % j->groups * LANES);
    const struct levels levels = j->levels;
    const float step = j->q.scale;
    uint8_t *y = (uint8_t *)j->a->op.out[0].data + task * j->area * LANES;

    (void)thread;
    if (s.run[0].from == y) /* the plan has put it there */
        return;
    if (s.same && s.n == 1 && s.run->n == LANES) {
        memcpy(y, s.run->from, (size_t)(j->area * LANES));
        return;
    }
    for (int64_t p = 0; p < j->area * LANES; p += LANES) {
        gather(&s, p, y + p);
        for (int i = 0; !s.same && i < LANES; i += VL) {
            const vf v = (vf_of_u8(y + p + i) - vf_load(s.zero + i)) * vf_load(s.scale + i);

            vf_store_u8(y + p + i, vf_level(&levels, v / VF1(step)));
        }
    }
}

static int accepts(const struct step_nodes *s)
{
    const struct node *n = s->node[0];
    struct requant q;
    struct grid8 g;

    for (int i = 0; i < n->n_in; i++)
        if (grid8_operand(n, i, &g) < 0)
            return 0;
    return n->out[0]->shape.rank == 4 && attr_int(n, "axis") == 1 && quant8_requant(s, &q) == 0 &&
           q.to_u8;
}

/* The limits of an activation in between are part of the levels.  */
static void run(const struct kernel_args *a)
{
    const struct shape *y = &a->op.out[0].shape;
    struct join j = {.a = a, .area = y->dim[2] * y->dim[3], .c = y->dim[1]};

    j.groups = (j.c + LANES - 1) / LANES;
    quant8_requant(a->step, &j.q);
    j.levels = (struct levels){j.q.lo, j.q.hi, j.q.zero};
    pool_run(a->pool, y->dim[0] * j.groups, join_task, &j);
}

const struct kernel ISA(concat_blocked_8_kernels)[] = {
    {.name = "concat_blocked_8_" ISA_NAME,
     .op = "concat",
     .dir = DIR_FORWARD,
     .isa = ISA_BITS,
     .dtypes = 1 << DTYPE_U8,
     .reads = LAYOUT_C16,
     .writes = LAYOUT_C16,
     .pulls = 1,
     .quantised = 1,
     .epilogue = quant8_follow,
     .accepts = accepts,
     .run = run},
    {0},
};
