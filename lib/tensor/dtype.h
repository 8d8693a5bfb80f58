/* dtype.h -- element types.
 * SPDX-License-Identifier: MIT
 *
 * Of tensors as files and the graph have them.  A plan that computes in 16 bits
 * keeps f32 tensors: how it stores the values between is a layout
 * (LAYOUT_C16H of graph/layout.h).  */
#ifndef ADZE_TENSOR_DTYPE_H
#define ADZE_TENSOR_DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum dtype {
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_I8,
    DTYPE_U8,
    DTYPE_I32,
    DTYPE_I64,
    DTYPE_F64, /* read from files, never written to models */
    DTYPE_BOOL,
    DTYPE_COUNT
};

size_t dtype_size(enum dtype t);          /* bytes */
const char *dtype_name(enum dtype t);     /* "f32" */
const char *dtype_st_name(enum dtype t);  /* safetensors: "F32" */
const char *dtype_npy_name(enum dtype t); /* "<f4"; NULL for bf16 */
/* -1 if there is none of that name.  */
int dtype_by_name(const char *name);
int dtype_by_st_name(const char *name, size_t n);
int dtype_by_npy_name(const char *name, size_t n);

/* Bit-exact scalar conversions; to a narrower type round to nearest even.  */
float f16_to_f32(uint16_t h);
uint16_t f32_to_f16(float f);

/* In line, as blocked values are converted number by number.  */
static inline float bf16_to_f32(uint16_t h)
{
    const uint32_t quiet = (h & 0x7fff) > 0x7f80 ? 0x400000 : 0;
    const uint32_t x = (uint32_t)h << 16 | quiet;
    float f;

    memcpy(&f, &x, sizeof f);
    return f;
}

static inline uint16_t f32_to_bf16(float f)
{
    uint32_t x;

    memcpy(&x, &f, sizeof x);
    return (uint16_t)(f != f ? x >> 16 | 0x40
                             : (x + 0x7fff + (x >> 16 & 1)) >> 16);
}

/* N elements at SRC (type FROM) into DST (type TO); unaligned sources are
 * allowed; float to integer rounds half to even and saturates (NaN gives 0).
 */
void dtype_convert(enum dtype to, void *dst, enum dtype from, const void *src,
                   int64_t n);

#endif
