/* dtype.c -- tests of lib/tensor/dtype.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "tensor/dtype.h"

static uint32_t bits(float f)
{
    uint32_t x;

    memcpy(&x, &f, 4);
    return x;
}

static float of_bits(uint32_t x)
{
    float f;

    memcpy(&f, &x, 4);
    return f;
}

static void test_names(void **state)
{
    (void)state;
    for (int t = 0; t < DTYPE_COUNT; t++) {
        assert_int_equal(dtype_by_name(dtype_name(t)), t);
        assert_int_equal(
            dtype_by_st_name(dtype_st_name(t), strlen(dtype_st_name(t))), t);
        if (dtype_npy_name(t))
            assert_int_equal(dtype_by_npy_name(dtype_npy_name(t), 3), t);
    }
    assert_int_equal(dtype_by_name("F32"), -1);
    assert_int_equal(dtype_by_st_name("F3", 2), -1);
    assert_int_equal(dtype_by_st_name("F32x", 3), DTYPE_F32);
    assert_null(dtype_npy_name(DTYPE_BF16));
    assert_int_equal(dtype_size(DTYPE_BF16), 2);
}

/* Every half: the value by its definition, and back to the same bits.  */
static void test_f16_all(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        const float f = f16_to_f32((uint16_t)h);
        const int e = (int)(h >> 10) & 31, m = (int)h & 1023;
        const double sign = h >> 15 ? -1 : 1;

        if (e == 31 && m) {
            assert_true(isnan(f));
            assert_int_equal(f32_to_f16(f), h | 0x200);
            continue;
        }
        if (e == 31)
            assert_true(isinf(f) && (f > 0) == !(h >> 15));
        else
            assert_true((double)f ==
                        sign * (e ? ldexp(1024 + m, e - 25) : ldexp(m, -24)));
        assert_int_equal(f32_to_f16(f), h);
    }
}

/* Between two neighbouring halves: the nearer one, the even one in the
 * middle.  */
static void test_f16_rounding(void **state)
{
    (void)state;
    for (uint16_t h = 0; h < 0x7bff; h++) {
        const float a = f16_to_f32(h), b = f16_to_f32((uint16_t)(h + 1));
        const float mid = (a + b) / 2; /* exact */

        assert_int_equal(f32_to_f16(mid), h + (h & 1));
        assert_int_equal(f32_to_f16(nextafterf(mid, 0)), h);
        assert_int_equal(f32_to_f16(nextafterf(mid, INFINITY)), h + 1);
        assert_int_equal(f32_to_f16(-mid), 0x8000 | (h + (h & 1)));
    }
    assert_int_equal(f32_to_f16(65519.996f), 0x7bff);
    assert_int_equal(f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(f32_to_f16(1e30f), 0x7c00);
    assert_int_equal(f32_to_f16(1e-45f), 0);
    assert_int_equal(f32_to_f16(-0.0f), 0x8000);
}

static void test_bf16(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        const uint32_t x = bits(bf16_to_f32((uint16_t)h));
        const int nan = (h & 0x7f80) == 0x7f80 && (h & 0x7f);

        assert_int_equal(x, (nan ? h | 0x40 : h) << 16);
        assert_int_equal(f32_to_bf16(of_bits(x)), nan ? h | 0x40 : h);
        if ((h & 0x7f80) == 0x7f80)
            continue;
        /* half an ulp up to the even one, one bit around it */
        assert_int_equal(f32_to_bf16(of_bits(h << 16 | 0x8000)), h + (h & 1));
        assert_int_equal(f32_to_bf16(of_bits(h << 16 | 0x7fff)), h);
        assert_int_equal(f32_to_bf16(of_bits(h << 16 | 0x8001)), h + 1);
    }
    assert_int_equal(f32_to_bf16(of_bits(0x7f800001)), 0x7fc0);
}

static void test_ints(void **state)
{
    static const float f[] = {0.5f,   1.5f, 2.5f,     -0.5f, -1.5f,
                              300,    -300, 3e9f,     -3e9f, 1e30f,
                              -1e30f, NAN,  INFINITY, 127.5f};
    static const int8_t i8[] = {0,   2,    2,   0,    -2, 127, -128,
                                127, -128, 127, -128, 0,  127, 127};
    static const uint8_t u8[] = {0,   2, 2,   0, 0, 255, 0,
                                 255, 0, 255, 0, 0, 255, 128};
    static const int64_t i64[] = {
        0,          2,           2,         0,         -2, 300,       -300,
        3000000000, -3000000000, INT64_MAX, INT64_MIN, 0,  INT64_MAX, 128};
    int8_t a[14];
    uint8_t b[14];
    int64_t c[14];

    (void)state;
    dtype_convert(DTYPE_I8, a, DTYPE_F32, f, 14);
    assert_memory_equal(a, i8, sizeof a);
    dtype_convert(DTYPE_U8, b, DTYPE_F32, f, 14);
    assert_memory_equal(b, u8, sizeof b);
    dtype_convert(DTYPE_I64, c, DTYPE_F32, f, 14);
    assert_memory_equal(c, i64, sizeof c);
    dtype_convert(DTYPE_BOOL, b, DTYPE_F32, f, 14);
    assert_int_equal(b[0], 1);
    dtype_convert(DTYPE_I8, a, DTYPE_I64, i64, 14);
    assert_int_equal(a[7], 127);
    assert_int_equal(a[8], -128);
}

/* No double rounding on the way from 64 bits to few.  */
static void test_once_rounded(void **state)
{
    const int64_t i[] = {((int64_t)1 << 60) + ((int64_t)1 << 52) + 1,
                         ((int64_t)1 << 60) + ((int64_t)1 << 52),
                         ((int64_t)1 << 60) + ((int64_t)1 << 36) + 1, INT64_MIN,
                         16777217};
    const double d[] = {1 + 0x1p-11 + 0x1p-50, 1 + 0x1p-11, 0x1p-25 + 0x1p-70,
                        0x1p-25};
    uint16_t h[5];
    float f[5];

    (void)state;
    dtype_convert(DTYPE_BF16, h, DTYPE_I64, i, 5);
    assert_int_equal(h[0], 0x5d81);
    assert_int_equal(h[1], 0x5d80);
    dtype_convert(DTYPE_F32, f, DTYPE_I64, i, 5);
    for (int k = 0; k < 5; k++)
        assert_true(f[k] == (float)i[k]);
    dtype_convert(DTYPE_F16, h, DTYPE_F64, d, 4);
    assert_int_equal(h[0], 0x3c01);
    assert_int_equal(h[1], 0x3c00);
    assert_int_equal(h[2], 1);
    assert_int_equal(h[3], 0);
}

/* f64 -> f32 is what the compiler's cast does, for random bits.  */
static void test_f64(void **state)
{
    uint64_t x = 88172645463325252u;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        double d, back;
        float f, want;

        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        memcpy(&d, &x, 8);
        if (i & 1)
            d = ldexp(1 + (double)(x >> 12) * 0x1p-52,
                      (int)(x % 320) - 160); /* near the range of f32 */
        if (isnan(d))
            continue;
        want = (float)d;
        dtype_convert(DTYPE_F32, &f, DTYPE_F64, &d, 1);
        assert_int_equal(bits(f), bits(want));
        dtype_convert(DTYPE_F64, &back, DTYPE_F32, &f, 1);
        assert_true(back == (double)f);
    }
}

static void test_unaligned(void **state)
{
    unsigned char raw[9 + 8];
    const float v[2] = {1.25f, -3};
    double d[2];

    (void)state;
    memcpy(raw + 1, v, 8);
    dtype_convert(DTYPE_F64, d, DTYPE_F32, raw + 1, 2);
    assert_true(d[0] == 1.25 && d[1] == -3);
    dtype_convert(DTYPE_F32, raw + 3, DTYPE_F64, d, 2);
    assert_memory_equal(raw + 3, v, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_f16_all),
        cmocka_unit_test(test_f16_rounding),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_ints),
        cmocka_unit_test(test_once_rounded),
        cmocka_unit_test(test_f64),
        cmocka_unit_test(test_unaligned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
