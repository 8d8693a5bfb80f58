/* rng.c -- tests of lib/base/rng.c.
 * SPDX-License-Identifier: MIT  */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* Random123's kat_vectors for philox4x32 10.  */
static void test_known(void **state)
{
    static const struct {
        uint32_t ctr[4], key[2], out[4];
    } row[] = {
        {{0, 0, 0, 0},
         {0, 0},
         {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u},
         {~0u, ~0u},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    uint32_t out[4];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        philox4x32(row[i].ctr, row[i].key, out);
        assert_memory_equal(out, row[i].out, sizeof out);
    }
}

/* Any change of a coordinate gives another stream.  */
static void test_streams(void **state)
{
    const struct rng r[] = {
        rng_at(1, RNG_INIT, 2, 3), rng_at(2, RNG_INIT, 2, 3),
        rng_at(1, RNG_TEST, 2, 3), rng_at(1, RNG_INIT, 3, 2),
        rng_at(1, RNG_INIT, 2, 4), rng_at(1u + (1ull << 40), RNG_INIT, 2, 3),
    };
    const struct rng sub0 = rng_sub(&r[0], 0), sub1 = rng_sub(&r[0], 1);

    (void)state;
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(&r[i], &r[j], sizeof r[i]);
    assert_memory_not_equal(&sub0, &sub1, sizeof sub0);
    assert_memory_not_equal(&sub0, &r[0], sizeof sub0);
}

/* The streams are part of every result: they may never change.  */
static void test_frozen(void **state)
{
    const struct rng r = rng_at(42, RNG_TEST, 7, 9);

    (void)state;
    assert_int_equal(rng_u32(&r, 0), 895074197u);
    assert_int_equal(rng_below(&r, 5, 1000000), 231859);
    assert_int_equal(rng_permute(&r, 5, 1000000), 249292);
}

static void test_moments(void **state)
{
    enum { N = 100000 };
    const struct rng r = rng_at(1, RNG_TEST, 0, 0);
    double su = 0, su2 = 0, sn = 0, sn2 = 0, sn4 = 0;

    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        const double u = (double)rng_uniform(&r, i), z = rng_normal(&r, i);
        float four[4];

        rng_uniform4(&r, i / 4, four);
        assert_true((float)u == four[i % 4]);
        assert_true(u >= 0 && u < 1 && isfinite(z));
        su += u;
        su2 += u * u;
        sn += z;
        sn2 += z * z;
        sn4 += z * z * z * z;
    }
    /* five standard errors */
    assert_true(fabs(su / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(su2 / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    assert_true(fabs(sn / N) < 5 * sqrt(1.0 / N));
    assert_true(fabs(sn2 / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(sn4 / N - 3) < 5 * sqrt(96.0 / N));
}

static void test_below(void **state)
{
    const struct rng r = rng_at(3, RNG_TEST, 0, 0);
    int count[7] = {0};

    (void)state;
    for (uint64_t i = 0; i < 70000; i++)
        count[rng_below(&r, i, 7)]++;
    for (int k = 0; k < 7; k++)
        assert_true(abs(count[k] - 10000) < 500);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(rng_below(&r, i, 1), 0);
        assert_true(rng_below(&r, i, UINT64_MAX) < UINT64_MAX);
    }
}

static void test_permute(void **state)
{
    static const uint64_t size[] = {1, 2, 3,  4,   5,    7,
                                    8, 9, 64, 100, 1023, 5000};
    unsigned char seen[5000];

    (void)state;
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        const struct rng r = rng_at(k, RNG_SHUFFLE, 1, 0);

        memset(seen, 0, sizeof seen);
        for (uint64_t i = 0; i < size[k]; i++) {
            const uint64_t j = rng_permute(&r, i, size[k]);

            assert_true(j < size[k] && !seen[j]);
            seen[j] = 1;
        }
    }
    for (uint64_t i = 0; i < 10; i++) {
        const struct rng r = rng_at(i, RNG_SHUFFLE, 1, 0);

        assert_true(rng_permute(&r, i, UINT64_MAX) < UINT64_MAX);
    }
}

/* Over many streams each of the 24 orders of 4 comes equally often.  */
static void test_permute_uniform(void **state)
{
    enum { N = 24000 };
    int count[256] = {0}, orders = 0;
    double chi2 = 0;

    (void)state;
    for (uint64_t s = 0; s < N; s++) {
        const struct rng r = rng_at(s, RNG_SHUFFLE, 0, 0);
        unsigned code = 0;

        for (uint64_t i = 0; i < 4; i++)
            code = code << 2 | (unsigned)rng_permute(&r, i, 4);
        count[code]++;
    }
    for (int k = 0; k < 256; k++)
        if (count[k]) {
            orders++;
            chi2 += (count[k] - N / 24.0) * (count[k] - N / 24.0) / (N / 24.0);
        }
    assert_int_equal(orders, 24);
    assert_true(chi2 < 64); /* 23 degrees of freedom: p < 1e-5 */
}

/* Mean 1/2 and variance 1 / (4 (2 A + 1)); the share below 0.1 as by the
 * distribution's integral.  */
static void test_beta(void **state)
{
    enum { N = 20000 };
    static const struct {
        double a, below;
    } row[] = {{0.05, 0.4495}, {0.2, 0.3367}, {1, 0.1}, {4, 0.00273}};

    (void)state;
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        const double a = row[k].a, var = 1 / (4 * (2 * a + 1));
        double sum = 0, square = 0, below = 0;

        for (uint64_t i = 0; i < N; i++) {
            const struct rng r = rng_at(k, RNG_TEST, i, 0);
            const double x = rng_beta(&r, a);

            assert_true(x >= 0 && x <= 1);
            sum += x;
            square += (x - 0.5) * (x - 0.5);
            below += x < 0.1;
        }
        assert_true(fabs(sum / N - 0.5) < 0.012);
        assert_true(fabs(square / N / var - 1) < 0.03);
        assert_true(fabs(below / N - row[k].below) < 0.011);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),   cmocka_unit_test(test_streams),
        cmocka_unit_test(test_frozen),  cmocka_unit_test(test_beta),
        cmocka_unit_test(test_moments), cmocka_unit_test(test_below),
        cmocka_unit_test(test_permute), cmocka_unit_test(test_permute_uniform),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
