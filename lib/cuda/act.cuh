/* act.cuh -- the functions of one number: y = f(x) and its slope.
 * SPDX-License-Identifier: MIT
 *
 * One definition for elementwise kernels and for epilogues.  In float: within
 * a few units in the last place of the definition in lib/op.  */
#ifndef ADZE_CUDA_ACT_CUH
#define ADZE_CUDA_ACT_CUH

#include "cuda/cuda.cuh"

enum act_kind {
    ACT_NONE,
    ACT_RELU,
    ACT_CLIP, /* to [p0, p1]; the slope is 1 at the ends too */
    ACT_HARDTANH,
    ACT_RELU6,
    ACT_LEAKYRELU,
    ACT_SIGMOID,
    ACT_TANH,
    ACT_HARDSIGMOID,
    ACT_HARDSWISH,
    ACT_SILU,
    ACT_GELU,
    ACT_GELU_TANH,
    ACT_ELU,
    ACT_SELU,
    ACT_SOFTPLUS,
    ACT_SOFTSIGN,
    ACT_MISH,
};

struct act {
    enum act_kind kind;
    float p0, p1;
};

/* All of them: op, kind, the attributes that are p0 and p1.  From this list
 * come act_of(), the offers of eltwise.cu, and what may follow a layer.  */
/* clang-format off */
#define ACTS(X)                                         \
    X("relu", ACT_RELU, NULL, NULL)                     \
    X("relu6", ACT_RELU6, NULL, NULL)                   \
    X("clip", ACT_CLIP, "min", "max")                   \
    X("hardtanh", ACT_HARDTANH, "min", "max")           \
    X("leakyrelu", ACT_LEAKYRELU, "slope", NULL)        \
    X("sigmoid", ACT_SIGMOID, NULL, NULL)               \
    X("tanh", ACT_TANH, NULL, NULL)                     \
    X("hardsigmoid", ACT_HARDSIGMOID, "alpha", "beta")  \
    X("hardswish", ACT_HARDSWISH, NULL, NULL)           \
    X("silu", ACT_SILU, NULL, NULL)                     \
    X("gelu", ACT_GELU, NULL, NULL)                     \
    X("elu", ACT_ELU, "alpha", NULL)                    \
    X("selu", ACT_SELU, NULL, NULL)                     \
    X("softplus", ACT_SOFTPLUS, "beta", "threshold")    \
    X("softsign", ACT_SOFTSIGN, NULL, NULL)             \
    X("mish", ACT_MISH, NULL, NULL)
/* clang-format on */

/* Their ops, as kernel.epilogue and node_is() take several names.  */
#define ACT_NAME(op, kind, p0, p1) op "|"
#define ACT_NAMES                  ACTS(ACT_NAME)

#define SELU_ALPHA  1.6732632423543772f
#define SELU_LAMBDA 1.0507009873554805f

/* Of the op that N runs; ACT_NONE if it is none of these.  */
struct act act_of(const struct node *n);

__device__ __forceinline__ float act_gate(float x)
{
    return 1 / (1 + expf(-x));
}

/* The normal distribution.  */
__device__ __forceinline__ float act_phi(float x)
{
    return 0.5f * erfcf(-x * 0.70710678118654752f);
}

__device__ __forceinline__ float act_softplus(float x)
{
    return fmaxf(x, 0) + log1pf(expf(-fabsf(x)));
}

/* tanh's argument in GELU by tanh, and its derivative.  */
__device__ __forceinline__ float act_inner(float x)
{
    return 0.79788456080286536f * (x + 0.044715f * x * x * x);
}

__device__ __forceinline__ float act_inner_slope(float x)
{
    return 0.79788456080286536f * (1 + 0.134145f * x * x);
}

__device__ __forceinline__ float act_limit(float x, float lo, float hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

__device__ __forceinline__ float act_value(const struct act &a, float x)
{
    switch (a.kind) {
    case ACT_NONE:
        break;
    case ACT_RELU:
        return x < 0 ? 0 : x;
    case ACT_CLIP:
    case ACT_HARDTANH:
        return act_limit(x, a.p0, a.p1);
    case ACT_RELU6:
        return act_limit(x, 0, 6);
    case ACT_LEAKYRELU:
        return x > 0 ? x : a.p0 * x;
    case ACT_SIGMOID:
        return act_gate(x);
    case ACT_TANH:
        return tanhf(x);
    case ACT_HARDSIGMOID:
        return act_limit(a.p0 * x + a.p1, 0, 1);
    case ACT_HARDSWISH:
        return x * act_limit((x + 3) / 6, 0, 1);
    case ACT_SILU:
        return x * act_gate(x);
    case ACT_GELU:
        return x * act_phi(x);
    case ACT_GELU_TANH:
        return 0.5f * x * (1 + tanhf(act_inner(x)));
    case ACT_ELU:
        return x > 0 ? x : a.p0 * expm1f(x);
    case ACT_SELU:
        return SELU_LAMBDA * (x > 0 ? x : SELU_ALPHA * expm1f(x));
    case ACT_SOFTPLUS:
        return a.p0 * x > a.p1 ? x : act_softplus(a.p0 * x) / a.p0;
    case ACT_SOFTSIGN:
        return x / (1 + fabsf(x));
    case ACT_MISH:
        return x * tanhf(act_softplus(x));
    }
    return x;
}

/* The slope, of what the op keeps: x or y (op->keep_out).  */
__device__ __forceinline__ float act_slope(const struct act &a, float v)
{
    float s, t;

    switch (a.kind) {
    case ACT_NONE:
        break;
    case ACT_RELU: /* y, as in all that keep their result */
        return v > 0;
    case ACT_CLIP:
        return v >= a.p0 && v <= a.p1;
    case ACT_HARDTANH:
        return v > a.p0 && v < a.p1;
    case ACT_RELU6:
        return v > 0 && v < 6;
    case ACT_LEAKYRELU:
        return v > 0 ? 1 : a.p0;
    case ACT_SIGMOID:
        return v * (1 - v);
    case ACT_TANH:
        return 1 - v * v;
    case ACT_HARDSIGMOID:
        return v > 0 && v < 1 ? a.p0 : 0;
    case ACT_HARDSWISH:
        return v <= -3 ? 0 : v >= 3 ? 1 : v / 3 + .5f;
    case ACT_SILU:
        s = act_gate(v);
        return s * (1 + v * (1 - s));
    case ACT_GELU:
        return act_phi(v) + v * expf(-v * v / 2) * 0.39894228040143268f;
    case ACT_GELU_TANH:
        t = tanhf(act_inner(v));
        return 0.5f * (1 + t + v * (1 - t * t) * act_inner_slope(v));
    case ACT_ELU:
        return v > 0 ? 1 : a.p0 * expf(v);
    case ACT_SELU:
        return SELU_LAMBDA * (v > 0 ? 1 : SELU_ALPHA * expf(v));
    case ACT_SOFTPLUS:
        return a.p0 * v > a.p1 ? 1 : act_gate(a.p0 * v);
    case ACT_SOFTSIGN:
        s = 1 + fabsf(v);
        return 1 / (s * s);
    case ACT_MISH:
        t = tanhf(act_softplus(v));
        return t + v * act_gate(v) * (1 - t * t);
    }
    return 1;
}

#endif
