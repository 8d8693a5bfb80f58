/* cuda_bf16.h -- numbers of bf16, as kernels use them, for the emulator.
 * SPDX-License-Identifier: MIT
 *
 * No arithmetic: kernels compute in float.  */
#ifndef ADZE_EMU_CUDA_BF16_H
#define ADZE_EMU_CUDA_BF16_H

#include "cuda_runtime.h"

extern "C" {
#include "tensor/dtype.h"
}

struct __nv_bfloat16 {
    unsigned short bits;
};

struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};

static inline float __bfloat162float(__nv_bfloat16 b)
{
    return bf16_to_f32(b.bits);
}

static inline __nv_bfloat16 __float2bfloat16_rn(float f)
{
    return {f32_to_bf16(f)};
}

static inline __nv_bfloat16 __float2bfloat16(float f)
{
    return __float2bfloat16_rn(f);
}

static inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y)
{
    return {__float2bfloat16_rn(x), __float2bfloat16_rn(y)};
}

static inline float2 __bfloat1622float2(__nv_bfloat162 b)
{
    return {__bfloat162float(b.x), __bfloat162float(b.y)};
}

static inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 b)
{
    return b.bits;
}

static inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits)
{
    return {bits};
}

#endif
