/* finish_8.cuh -- what follows a sum of products of 8 bits, in registers, and
 * numbers on a grid of 8 bits.
 * SPDX-License-Identifier: MIT
 *
 * The same roundings in the same order as lib/cpu, so that results are equal
 * bit for bit (op/quant8.h says what is computed); silu, sigmoid and tanh may
 * be a unit in the last place apart.  */
#ifndef ADZE_CUDA_FINISH_8_CUH
#define ADZE_CUDA_FINISH_8_CUH

#include "cuda/act.cuh"

extern "C" {
#include "op/quant8.h"
}

/* V neighbours in memory, aligned so.  */
template <int V> struct alignas(V) bytes {
    uint8_t v[V];
};

template <int V> __device__ __forceinline__ struct bytes<V> bytes_at(const uint8_t *p) {
    return *(const struct bytes<V> *)p;
}

/* Four bytes at P, aligned so.  */
static __device__ __forceinline__ uint32_t
word_at(const void *p)
{
    return *(const uint32_t *)p;
}

/* Half goes to even.  */
__device__ __forceinline__ float level_of(const struct levels &q, float v)
{
    return rintf(fminf(q.hi, fmaxf(q.lo, v))) + q.zero;
}

__device__ __forceinline__ float sum_8(const struct sum8 &s, float a, float b)
{
    const float p = __fmul_rn(a - s.zero_a, s.a);

    return level_of(s.levels, fmaf(b - s.zero_b, s.b, p));
}

/* A level of one grid as one of another, behind an activation that limits.  */
struct regrid {
    float zero, scale, step; /* from; the scale of the result */
    struct levels to;
    int same; /* all levels stay what they are */
};

/* Of operand I of the step's head.  */
static inline struct regrid regrid_of(const struct step_nodes *s, int i)
{
    struct regrid r = {};
    struct requant q;
    struct grid8 g = {};

    quant8_requant(s, &q);
    grid8_operand(s->node[0], i, &g);
    r.zero = (float)g.zero;
    r.scale = g.scale;
    r.step = q.scale;
    r.to = {q.lo, q.hi, q.zero};
    r.same = g.scale == q.scale && r.zero == q.zero && q.lo == 0 - q.zero && q.hi == 255 - q.zero;
    return r;
}

__device__ __forceinline__ uint8_t regridded(const struct regrid &r, uint8_t x)
{
    return r.same ? x : (uint8_t)level_of(r.to, ((float)x - r.zero) * r.scale / r.step);
}

/* The first operand of the head is u8, and so is the result.  */
static inline int stays_u8(const struct step_nodes *s)
{
    struct requant q;
    struct grid8 g;

    return quant8_requant(s, &q) == 0 && q.to_u8 && grid8_operand(s->node[0], 0, &g) == 0;
}

/* ---- behind a layer ---- */

/* Of the sum of output N in row M: Y has rows of STEP numbers, u8 or float.  */
struct finish_8 {
    void *y;
    const uint8_t *add; /* as y, or NULL */
    int64_t step;
    const int32_t *base; /* struct outputs8, on the device */
    const float *scale, *shift;
    struct levels levels;
    struct sum8 sum;
    struct act curve;
    float by; /* the curve's result is divided by that */
    int to_u8, is_first;
};

/* As lib/cpu has these two; the others as everywhere on the GPU.  */
__device__ __forceinline__ float curve_8(const struct act &a, float x)
{
    if (a.kind == ACT_HARDSWISH)
        return __fmul_rn(__fmul_rn(x, fminf(6, fmaxf(0, x + 3))), 1.0f / 6.0f);
    if (a.kind == ACT_HARDSIGMOID)
        return fminf(1, fmaxf(0, fmaf(x, a.p0, a.p1)));
    return act_value(a, x);
}

/* What is known of an output: read once, as stores of bytes could be to it for
 * all that the compiler knows.  */
struct output_8 {
    int32_t base;
    float scale, shift;
};

__device__ __forceinline__ struct output_8 output_of(const struct finish_8 &f, int64_t n)
{
    return {f.base[n], f.scale[n], f.shift[n]};
}

/* Before limits: a curve may follow.  */
__device__ __forceinline__ float curved_8(const struct finish_8 &f, const struct output_8 &o,
                                          int32_t sum)
{
    const float v = fmaf((float)(o.base + sum), o.scale, o.shift);

    return f.curve.kind == ACT_NONE ? v : curve_8(f.curve, v);
}

/* The level of the layer alone.  */
__device__ __forceinline__ uint8_t layer_level(const struct finish_8 &f, const struct output_8 &o,
                                               int32_t sum)
{
    const float v = curved_8(f, o, sum);

    return (uint8_t)level_of(f.levels, f.curve.kind == ACT_NONE ? v : v / f.by);
}

__device__ __forceinline__ uint8_t added(const struct finish_8 &f, uint8_t own, uint8_t other)
{
    return (uint8_t)(f.is_first ? sum_8(f.sum, own, other) : sum_8(f.sum, other, own));
}

/* V levels of the layer become V numbers of y from AT on.  */
template <int V>
__device__ __forceinline__ void put_levels(const struct finish_8 &f, int64_t at,
                                           struct bytes<V> own)
{
    if (f.add) {
        const struct bytes<V> other = bytes_at<V>(f.add + at);

#pragma unroll
        for (int i = 0; i < V; i++)
            own.v[i] = added(f, own.v[i], other.v[i]);
    }
    *(struct bytes<V> *)((uint8_t *)f.y + at) = own;
}

__device__ __forceinline__ float layer_float(const struct finish_8 &f, const struct output_8 &o,
                                             int32_t sum)
{
    return fminf(f.levels.hi, fmaxf(f.levels.lo, curved_8(f, o, sum)));
}

/* V outputs from N on.  */
template <int V>
__device__ __forceinline__ void finish_sums(const struct finish_8 &f, int64_t m, int64_t n,
                                            const int32_t *sum)
{
    const int64_t at = m * f.step + n;
    struct output_8 o[V];
    struct bytes<V> own;

#pragma unroll
    for (int i = 0; i < V; i++)
        o[i] = output_of(f, n + i);
    if (!f.to_u8) {
#pragma unroll
        for (int i = 0; i < V; i++)
            ((float *)f.y)[at + i] = layer_float(f, o[i], sum[i]);
        return;
    }
#pragma unroll
    for (int i = 0; i < V; i++)
        own.v[i] = layer_level(f, o[i], sum[i]);
    put_levels<V>(f, at, own);
}

#endif
