/* cuda_fp16.h -- half precision, as kernels use them, for the emulator.
 * SPDX-License-Identifier: MIT
 *
 * No arithmetic: kernels compute in float.  */
#ifndef ADZE_EMU_CUDA_FP16_H
#define ADZE_EMU_CUDA_FP16_H

#include "cuda_runtime.h"

extern "C" {
#include "tensor/dtype.h"
}

struct __half {
    unsigned short bits;
};

struct alignas(4) __half2 {
    __half x, y;
};

static inline float __half2float(__half b)
{
    return f16_to_f32(b.bits);
}

static inline __half __float2half_rn(float f)
{
    return {f32_to_f16(f)};
}

static inline __half __float2half(float f)
{
    return __float2half_rn(f);
}

static inline __half2 __floats2half2_rn(float x, float y)
{
    return {__float2half_rn(x), __float2half_rn(y)};
}

static inline float2 __half22float2(__half2 b)
{
    return {__half2float(b.x), __half2float(b.y)};
}

static inline unsigned short __half_as_ushort(__half b)
{
    return b.bits;
}

static inline __half __ushort_as_half(unsigned short bits)
{
    return {bits};
}

#endif
