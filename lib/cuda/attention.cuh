/* attention.cuh -- the sizes and operands of attention in device code.
 * SPDX-License-Identifier: MIT
 *
 * Values are of T; biases, lse and delta of f32.  */
#ifndef ADZE_CUDA_ATTENTION_CUH
#define ADZE_CUDA_ATTENTION_CUH

#include <math.h>

#include "cuda/gemm.cuh"

enum { ATTN_X, ATTN_BIAS };
enum { ATTN_Y, ATTN_LSE };
enum { QUERY, KEY, VALUE, PARTS };

template <class T> struct attn {
    int64_t samples, heads, t, c, d;
    int64_t groups; /* samples take the biases in turn */
    float scale;
    const T *x;
    const float *bias;
    const float *lse, *delta; /* backward; delta: dy y' by rows */
    const T *dy;
};

/* One head of one sample.  */
template <class T> struct head {
    int64_t at; /* of lse and delta */
    const T *x; /* from the head's numbers on, as DY */
    const float *bias;
    const T *dy;
};

template <class T>
__device__ __forceinline__ struct head<T> head_of(const struct attn<T> &s, int64_t i) {
    const int64_t n = i / s.heads, h = i % s.heads;
    struct head<T> r;

    r.at = i * s.t;
    r.x = s.x + n * s.t * PARTS * s.c + h * s.d;
    r.bias = s.bias ? s.bias + (n % s.groups * s.heads + h) * s.t * s.t : NULL;
    r.dy = s.dy ? s.dy + n * s.t * s.c + h * s.d : NULL;
    return r;
}

/* dy y' of each token and head.  */
template <class T>
__global__ void attn_deltas(struct attn<T> s, const T *y, float *delta)
{
    for (EACH (i, s.samples * s.heads * s.t)) {
        const int64_t h = i / s.t % s.heads, n = i / s.t / s.heads, t = i % s.t;
        const int64_t at = (n * s.t + t) * s.c + h * s.d;
        float sum = 0;

        for (int64_t c = 0; c < s.d; c++)
            sum += get(s.dy[at + c]) * get(y[at + c]);
        delta[i] = sum;
    }
}

/* X [N,T,3 C]; BIAS of rank 0 where there is none.  */
template <class T>
static struct attn<T> attn_of(const struct node *n, const struct shape *x,
                              const struct shape *bias) {
    struct attn<T> s = {
    };

    s.samples = x->dim[0];
    s.heads = attr_int(n, "heads");
    s.t = x->dim[1];
    s.c = x->dim[2] / PARTS;
    s.d = s.c / s.heads;
    s.groups = bias->rank == 4 ? bias->dim[0] : 1;
    s.scale = (float)(1 / sqrt((double)s.d));
    return s;
}

/* What a step reads.  */
template <class T>
static struct attn<T> attn_args(const struct kernel_args *a) {
    struct attn<T> s = attn_of<T>(a->op.node, &a->op.in[ATTN_X].shape, &a->op.in[ATTN_BIAS].shape);

    s.x = data<T>(&a->op.in[ATTN_X]);
    s.bias = data<float>(&a->op.in[ATTN_BIAS]);
    if (!s.bias)
        s.groups = 1;
    if (a->op.node->dir == DIR_BACKWARD) {
        s.lse = data<float>(&a->op.out[ATTN_LSE]);
        s.delta = (const float *)a->scratch;
        s.dy = data<T>(&a->op.dout[0]);
    }
    return s;
}

/* Samples of one chunk of the sum for a bias: chunks enough to keep the
 * processors busy, few enough to be small.  */
template <class T>
static int64_t attn_chunk(const struct attn<T> &s)
{
    enum { BLOCKS = 512, LEAST = 8 };
    const int64_t all = div_up(s.samples, s.groups), chunks = BLOCKS / (s.groups * s.heads) + 1;
    const int64_t per = div_up(all, chunks);

    return per < LEAST ? (int64_t)LEAST : per;
}

template <class T> static int64_t attn_chunks(const struct attn<T> &s)
{
    return div_up(div_up(s.samples, s.groups), attn_chunk(s));
}

/* The sizes of a step.  */
static inline struct attn<float> attn_bound(const struct step_nodes *s) {
    const struct node *n = s->node[0];
    const struct shape x = x_shape(s), none = {};
    const struct shape *b = n->dir == DIR_BACKWARD ? &n->in_shape[ATTN_BIAS]
                            : n->in[ATTN_BIAS]     ? &n->in[ATTN_BIAS]->shape
                                                   : &none;
    const struct shape bias = n->in[ATTN_BIAS] ? shape_bind(*b, s->batch) : none;

    return attn_of<float>(n, &x, &bias);
}

/* Of backward: delta, then the chunks' sums for a bias.  */
static inline size_t
attn_scratch(const struct step_nodes *s, int threads)
{
    const struct attn<float> a = attn_bound(s);
    const int64_t bias =
        s->node[0]->in[ATTN_BIAS] ? attn_chunks(a) * a.groups * a.heads * a.t * a.t : 0;

    (void)threads;
    return (size_t)(a.samples * a.heads * a.t + bias) * sizeof(float);
}

/* A grid has 65535 lines at most: one for each bias, in making its gradient.  */
static inline int attn_grid_fits(const struct step_nodes *s)
{
    const struct attn<float> a = attn_bound(s);

    return s->node[0]->dir == DIR_FORWARD || a.groups * a.heads <= 65535;
}

#endif
