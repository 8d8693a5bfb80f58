/* dtype.c -- see dtype.h.
 * SPDX-License-Identifier: MIT
 *
 * Conversions between floats work on the bits, so that they do not depend on
 * the rounding mode or on the flushing of subnormals, and round once.  */
#include "tensor/dtype.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

/* A binary float: exponent and fraction bits.  */
struct form {
    int e, m;
};

/* clang-format off */
static const struct form form_f64 = {11, 52}, form_f32 = {8, 23},
                         form_f16 = {5, 10}, form_bf16 = {8, 7};

static const struct row {
    size_t size;
    const char *name, *st, *npy;
    const struct form *form;        /* NULL: an integer in [min, max] */
    int64_t min, max;
} row[DTYPE_COUNT] = {
    [DTYPE_F32]  = {4, "f32",  "F32",  "<f4", &form_f32,  0, 0},
    [DTYPE_F16]  = {2, "f16",  "F16",  "<f2", &form_f16,  0, 0},
    [DTYPE_BF16] = {2, "bf16", "BF16", NULL,  &form_bf16, 0, 0},
    [DTYPE_I8]   = {1, "i8",   "I8",   "|i1", NULL, INT8_MIN, INT8_MAX},
    [DTYPE_U8]   = {1, "u8",   "U8",   "|u1", NULL, 0, UINT8_MAX},
    [DTYPE_I32]  = {4, "i32",  "I32",  "<i4", NULL, INT32_MIN, INT32_MAX},
    [DTYPE_I64]  = {8, "i64",  "I64",  "<i8", NULL, INT64_MIN, INT64_MAX},
    [DTYPE_F64]  = {8, "f64",  "F64",  "<f8", &form_f64,  0, 0},
    [DTYPE_BOOL] = {1, "bool", "BOOL", "|b1", NULL, 0, 1},
};
/* clang-format on */

size_t dtype_size(enum dtype t)
{
    return row[t].size;
}

const char *dtype_name(enum dtype t)
{
    return row[t].name;
}

const char *dtype_st_name(enum dtype t)
{
    return row[t].st;
}

const char *dtype_npy_name(enum dtype t)
{
    return row[t].npy;
}

static int is_name(const char *known, const char *name, size_t n)
{
    return known && strlen(known) == n && !memcmp(known, name, n);
}

int dtype_by_name(const char *name)
{
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (!strcmp(row[t].name, name))
            return t;
    return -1;
}

int dtype_by_st_name(const char *name, size_t n)
{
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (is_name(row[t].st, name, n))
            return t;
    return -1;
}

int dtype_by_npy_name(const char *name, size_t n)
{
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (is_name(row[t].npy, name, n))
            return t;
    return -1;
}

/* ---- floats ---- */

/* X >> N to the nearest, ties to even; 0 < N < 64.  */
static uint64_t shift_round(uint64_t x, int n)
{
    const uint64_t half = (uint64_t)1 << (n - 1);
    const uint64_t rest = x & (half * 2 - 1), q = x >> n;

    return q + (rest > half || (rest == half && (q & 1)));
}

/* The bits X of form F as bits of the narrower form T.  */
static uint64_t narrow(uint64_t x, struct form f, struct form t)
{
    const uint64_t sign = x >> (f.e + f.m) << (t.e + t.m);
    const uint64_t fraction = x & (((uint64_t)1 << f.m) - 1);
    const int fmax = (1 << f.e) - 1, tmax = (1 << t.e) - 1;
    const int exponent = (int)(x >> f.m) & fmax, cut = f.m - t.m;
    const uint64_t inf = (uint64_t)tmax << t.m;
    const int e = exponent - fmax / 2 + tmax / 2;

    if (exponent == fmax) /* a NaN becomes quiet and keeps its upper bits */
        return sign | inf |
               (fraction ? fraction >> cut | (uint64_t)1 << (t.m - 1) : 0);
    if (e >= tmax)
        return sign | inf;
    if (f.e == t.e) /* the same range: subnormals stay in place */
        return sign | shift_round((uint64_t)exponent << f.m | fraction, cut);
    if (e <= 0 && exponent) { /* subnormal there */
        const int n = cut + 1 - e;

        return sign |
               (n < 64 ? shift_round((uint64_t)1 << f.m | fraction, n) : 0);
    }
    if (!exponent) /* far below the smallest of the narrower range */
        return sign;
    /* a carry out of the fraction raises the exponent, up to infinity */
    return sign | shift_round((uint64_t)e << f.m | fraction, cut);
}

/* The bits X of form F as bits of the wider form T: exact.  */
static uint64_t widen(uint64_t x, struct form f, struct form t)
{
    const uint64_t sign = x >> (f.e + f.m) << (t.e + t.m);
    const int fmax = (1 << f.e) - 1, tmax = (1 << t.e) - 1;
    uint64_t fraction = x & (((uint64_t)1 << f.m) - 1);
    int exponent = (int)(x >> f.m) & fmax;

    if (exponent == fmax)
        return sign | (uint64_t)tmax << t.m |
               (fraction ? fraction << (t.m - f.m) | (uint64_t)1 << (t.m - 1)
                         : 0);
    if (!exponent && !fraction)
        return sign;
    if (!exponent && f.e != t.e) { /* normal there */
        const int lift = f.m + 1 - (64 - __builtin_clzll(fraction));

        fraction = fraction << lift & (((uint64_t)1 << f.m) - 1);
        exponent = 1 - lift;
    }
    if (f.e != t.e)
        exponent += tmax / 2 - fmax / 2;
    return sign | (uint64_t)exponent << t.m | fraction << (t.m - f.m);
}

static uint32_t f32_bits(float f)
{
    uint32_t x;

    memcpy(&x, &f, sizeof x);
    return x;
}

static float f32_of(uint32_t x)
{
    float f;

    memcpy(&f, &x, sizeof f);
    return f;
}

float f16_to_f32(uint16_t h)
{
    return f32_of((uint32_t)widen(h, form_f16, form_f32));
}

uint16_t f32_to_f16(float f)
{
    return (uint16_t)narrow(f32_bits(f), form_f32, form_f16);
}

/* ---- arrays ---- */

/* One element at P, little-endian as everywhere here.  */
static uint64_t get_bits(const void *p, size_t size)
{
    uint64_t x = 0;

    memcpy(&x, p, size);
    return x;
}

/* An integer, sign extended from its own size.  */
static int64_t get_int(enum dtype t, const void *p)
{
    const uint64_t x = get_bits(p, row[t].size);
    const int rest = 64 - 8 * (int)row[t].size;

    if (t == DTYPE_BOOL)
        return x != 0;
    return row[t].min < 0 ? (int64_t)(x << rest) >> rest : (int64_t)x;
}

static int64_t clamp(enum dtype t, int64_t v)
{
    return v < row[t].min ? row[t].min : v > row[t].max ? row[t].max : v;
}

static uint64_t f64_bits(double v)
{
    uint64_t x;

    memcpy(&x, &v, sizeof x);
    return x;
}

/* V as a double that rounds to any narrower float as V itself would: bits
 * that do not fit leave a mark in the last one.  */
static uint64_t int_as_f64(int64_t v)
{
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    if (u >> 53)
        u = (u & ~(uint64_t)0xfff) | (u & 0xfff ? 0x800 : 0);
    return f64_bits((double)u) | (v < 0 ? (uint64_t)1 << 63 : 0);
}

/* The double X rounded half to even, within the range of integer type T.  */
static int64_t f64_as_int(enum dtype t, uint64_t x)
{
    double v;

    memcpy(&v, &x, sizeof v);
    if (t == DTYPE_BOOL)
        return x << 1 != 0;
    if (isnan(v))
        return 0;
    v = rint(v);
    if (v >= 0x1p63)
        return row[t].max;
    return clamp(t, v < -0x1p63 ? INT64_MIN : (int64_t)v);
}

/* Any element by way of 64 bits: an integer, or a double.  */
static uint64_t convert_one(enum dtype to, enum dtype from, const void *p)
{
    const struct form *f = row[from].form, *t = row[to].form;
    uint64_t x;

    if (!f && !t)
        return (uint64_t)clamp(to, get_int(from, p));
    if (!f && t->m == 52)
        return f64_bits((double)get_int(from, p));
    x = f ? get_bits(p, row[from].size) : int_as_f64(get_int(from, p));
    if (f && f->m < 52)
        x = widen(x, *f, form_f64);
    if (!t)
        return (uint64_t)f64_as_int(to, x);
    return t->m < 52 ? narrow(x, form_f64, *t) : x;
}

/* Common pairs, in a loop of their own.  */
static void u8_to_f32(void *dst, const void *src, int64_t n)
{
    float *const d = dst;
    const uint8_t *const s = src;

    for (int64_t i = 0; i < n; i++)
        d[i] = s[i];
}

static void bf16_to_f32_all(void *dst, const void *src, int64_t n)
{
    char *const d = dst;
    const char *const s = src;

    for (int64_t i = 0; i < n; i++) {
        const float f = bf16_to_f32((uint16_t)get_bits(s + 2 * i, 2));

        memcpy(d + 4 * i, &f, 4);
    }
}

static void f16_to_f32_all(void *dst, const void *src, int64_t n)
{
    char *const d = dst;
    const char *const s = src;

    for (int64_t i = 0; i < n; i++) {
        const float f = f16_to_f32((uint16_t)get_bits(s + 2 * i, 2));

        memcpy(d + 4 * i, &f, 4);
    }
}

/* Normal numbers and zeros by the processor; what it may flush or change,
 * subnormals and NaNs, by their bits.  */
static void f32_to_f64_all(void *dst, const void *src, int64_t n)
{
    char *const d = dst;
    const char *const s = src;

    for (int64_t i = 0; i < n; i++) {
        const uint32_t x = (uint32_t)get_bits(s + 4 * i, 4);
        const uint32_t e = x >> 23 & 255;
        uint64_t v;

        if ((e && e < 255) || !(x << 1))
            v = f64_bits((double)f32_of(x));
        else
            v = widen(x, form_f32, form_f64);
        memcpy(d + 8 * i, &v, 8);
    }
}

static const struct fast {
    enum dtype to, from;
    void (*run)(void *dst, const void *src, int64_t n);
} fast[] = {
    {DTYPE_F32, DTYPE_U8, u8_to_f32},
    {DTYPE_F32, DTYPE_F16, f16_to_f32_all},
    {DTYPE_F32, DTYPE_BF16, bf16_to_f32_all},
    {DTYPE_F64, DTYPE_F32, f32_to_f64_all},
};

void dtype_convert(enum dtype to, void *dst, enum dtype from, const void *src,
                   int64_t n)
{
    const size_t in = row[from].size, out = row[to].size;

    if (to == from) {
        if (n)
            memcpy(dst, src, (size_t)n * in);
        return;
    }
    for (size_t k = 0; k < COUNT(fast); k++)
        if (fast[k].to == to && fast[k].from == from) {
            fast[k].run(dst, src, n);
            return;
        }
    for (int64_t i = 0; i < n; i++) {
        const uint64_t x =
            convert_one(to, from, (const char *)src + (size_t)i * in);

        memcpy((char *)dst + (size_t)i * out, &x, out);
    }
}
