/* eigen.c -- tests of base/eigen.h.
 * SPDX-License-Identifier: MIT  */
#include "base/eigen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"

enum { MOST = 24 };

/* What rounding may do to a matrix of numbers around 1: each element is
 * touched by some sweeps of N rotations.  */
static const double room = 64 * MOST * DBL_EPSILON;

static double normal(int seed, int64_t i)
{
    const struct rng r = rng_at((uint64_t)seed, RNG_TEST, 0, 0);

    return rng_normal(&r, (uint64_t)i);
}

static double dot(const double *x, const double *y, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static double largest(const double *x, int64_t n)
{
    double v = 0;

    for (int64_t i = 0; i < n; i++)
        if (fabs(x[i]) > fabs(v))
            v = x[i];
    return v;
}

/* The K rows of X, N wide, are orthonormal.  */
static void check_orthonormal(const double *x, int64_t k, int64_t n)
{
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++)
            assert_true(fabs(dot(x + i * n, x + j * n, n) - (i == j)) < room);
}

/* A [m,n] is the sum of value u' v.  */
static void check_sum(const double *a, const double *value, const double *u,
                      const double *v, int64_t k, int64_t m, int64_t n)
{
    const double scale = fmax(fabs(largest(a, m * n)), DBL_MIN);

    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;

            for (int64_t s = 0; s < k; s++)
                sum += value[s] * u[s * m + i] * v[s * n + j];
            assert_true(fabs(sum - a[i * n + j]) <= room * scale);
        }
}

static void check_order(const double *value, const double *first, int64_t k,
                        int64_t n)
{
    for (int64_t i = 0; i < k; i++) {
        assert_true(i == 0 || value[i] <= value[i - 1]);
        assert_true(largest(first + i * n, n) >= 0);
    }
}

static void check_symmetric(const double *a, int64_t n, double *value)
{
    double vector[MOST * MOST], again[MOST], twice[MOST * MOST];

    eigen_symmetric(value, vector, a, n);
    check_orthonormal(vector, n, n);
    check_sum(a, value, vector, vector, n, n, n);
    check_order(value, vector, n, n);
    eigen_symmetric(again, twice, a, n);
    assert_memory_equal(value, again, (size_t)n * sizeof *value);
    assert_memory_equal(vector, twice, (size_t)(n * n) * sizeof *vector);
}

static void test_symmetric(void **state)
{
    double a[MOST * MOST], value[MOST];

    (void)state;
    for (int64_t n = 1; n <= MOST; n++) {
        double trace = 0;

        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j <= i; j++)
                a[i * n + j] = a[j * n + i] = normal(1, n * 1000 + i * n + j);
        check_symmetric(a, n, value);
        for (int64_t i = 0; i < n; i++)
            trace += a[i * n + i] - value[i];
        assert_true(fabs(trace) < room * (double)n);
    }
}

/* Of two rows, by hand; what is below the diagonal is not read.  */
static void test_known(void **state)
{
    static const double a[] = {2, 1, 99, 2}, b[] = {-3}, flat[] = {4, 0, 0, 4};
    double value[2], vector[4];

    (void)state;
    eigen_symmetric(value, vector, a, 2);
    assert_true(fabs(value[0] - 3) < room && fabs(value[1] - 1) < room);
    assert_true(fabs(vector[0] - sqrt(.5)) < room);
    assert_true(fabs(vector[1] - sqrt(.5)) < room);
    assert_true(fabs(vector[2] * vector[3] + .5) < room);
    eigen_symmetric(value, vector, b, 1);
    assert_true(value[0] == -3 && vector[0] == 1);
    eigen_symmetric(value, vector, flat, 2);
    assert_true(value[0] == 4 && value[1] == 4 && vector[0] == 1 &&
                vector[3] == 1 && !vector[1]);
}

/* V' diag(VALUE) V with V a rotated basis.  */
static void compose(double *a, const double *value, int64_t n, int seed)
{
    double b[MOST * MOST], v[MOST * MOST], unused[MOST];

    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            b[i * n + j] = normal(seed, i < j ? i * n + j : j * n + i);
    eigen_symmetric(unused, v, b, n);
    memset(a, 0, (size_t)(n * n) * sizeof *a);
    for (int64_t s = 0; s < n; s++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                a[i * n + j] += value[s] * v[s * n + i] * v[s * n + j];
}

static void test_degenerate(void **state)
{
    static const double equal[6] = {5, 5, 5, 2, 2, -1};
    static const double poor[6] = {3, 1e-3, 1e-9, 0, 0, 0};
    double a[MOST * MOST] = {0}, value[MOST];

    (void)state;
    compose(a, equal, 6, 2);
    check_symmetric(a, 6, value);
    for (int i = 0; i < 6; i++)
        assert_true(fabs(value[i] - equal[i]) < 5 * room);
    compose(a, poor, 6, 3);
    check_symmetric(a, 6, value);
    for (int i = 0; i < 6; i++)
        assert_true(fabs(value[i] - poor[i]) < 3 * room);
    memset(a, 0, sizeof a);
    check_symmetric(a, 5, value);
    assert_true(largest(value, 5) == 0);
}

static void check_singular(const double *a, int64_t m, int64_t n, double *value)
{
    const int64_t k = m < n ? m : n;
    double u[MOST * MOST], v[MOST * MOST], whole[MOST * MOST];
    int64_t rank = 0;

    eigen_singular(value, u, v, a, m, n);
    check_sum(a, value, u, v, k, m, n);
    check_order(value, u, k, m);
    while (rank < k && value[rank] > 0)
        rank++;
    for (int64_t i = rank; i < k; i++)
        assert_true(value[i] == 0);
    check_orthonormal(u, rank, m);
    check_orthonormal(v, rank, n);
    /* the shorter side has all of them */
    memcpy(whole, m < n ? u : v, (size_t)(k * k) * sizeof *whole);
    check_orthonormal(whole, k, k);
}

static void test_singular(void **state)
{
    static const int64_t size[][2] = {{1, 1}, {1, 7}, {7, 1},   {2, 3},
                                      {3, 2}, {9, 9}, {24, 11}, {11, 24}};
    double a[MOST * MOST], value[MOST];

    (void)state;
    for (size_t s = 0; s < sizeof size / sizeof *size; s++) {
        double sum = 0, squares = 0;

        for (int64_t i = 0; i < size[s][0] * size[s][1]; i++)
            a[i] = normal(4, i);
        check_singular(a, size[s][0], size[s][1], value);
        for (int64_t i = 0; i < size[s][0] * size[s][1]; i++)
            squares += a[i] * a[i];
        for (int64_t i = 0; i < size[s][0] && i < size[s][1]; i++)
            sum += value[i] * value[i];
        assert_true(fabs(sum - squares) < room * squares);
    }
}

/* Of rank 2, with columns that repeat; nothing at all; widely apart.  */
static void test_rank(void **state)
{
    double a[MOST * MOST] = {0}, b[7 * 5], value[MOST];

    (void)state;
    check_singular(a, 4, 6, value);
    assert_true(value[0] == 0);
    for (int i = 0; i < 7 * 5; i++)
        a[i] = b[i % 5 * 7 + i / 5] =
            normal(5, i / 5) * (i % 5) + normal(6, i % 5 / 2);
    check_singular(a, 7, 5, value);
    assert_true(value[1] > 0 && value[2] == 0);
    check_singular(b, 5, 7, value);
    assert_true(value[1] > 0 && value[2] == 0);
    memset(a, 0, sizeof a);
    a[0] = 1e30, a[5] = -1e-30, a[10] = 2;
    eigen_singular(value, a + 100, a + 200, a, 4, 4);
    assert_true(value[0] == 1e30 && value[1] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symmetric),  cmocka_unit_test(test_known),
        cmocka_unit_test(test_degenerate), cmocka_unit_test(test_singular),
        cmocka_unit_test(test_rank),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
