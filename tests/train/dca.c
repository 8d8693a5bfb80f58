/* dca.c -- tests of train/dca.h: what the paper promises, numpy's answer, and
 * that fused features tell classes apart better.
 * SPDX-License-Identifier: MIT  */
#include "train/dca.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "../ref/dca_numpy.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/thread.h"
#include "train/nearest.h"

enum { SAMPLES = 60, CLASSES = 5, WIDE = 9, NARROW = 6 };

/* Two sets that know the same in other ways: a class is a step along an axis
 * of its own in both, each drowned in noise of its own.  */
struct toy {
    float data[2][SAMPLES * WIDE];
    int64_t label[SAMPLES];
    struct tensor x[2];
    struct dca_opts o;
};

static const int64_t widths[] = {WIDE, NARROW};

static struct tensor matrix(void *p, int64_t m, int64_t n)
{
    const struct shape s = shape_make(2, (int64_t[]){m, n});

    return tensor_view(DTYPE_F32, &s, p);
}

/* Samples from FROM on; the classes have as many as their number says.  */
static void make(struct toy *t, int64_t from)
{
    static const int8_t of[15] = {0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4};
    const struct rng r = rng_at(2, RNG_TEST, 0, 0);

    for (int64_t i = 0; i < SAMPLES; i++) {
        t->label[i] = of[i % 15];
        for (int s = 0; s < 2; s++)
            for (int64_t k = 0; k < widths[s]; k++) {
                const double mean = k == (t->label[i] + s) % NARROW ? 2 : 0;
                const uint64_t at = (uint64_t)(((from + i) * 2 + s) * WIDE + k);

                t->data[s][i * widths[s] + k] =
                    (float)(10 + mean + 0.8 * rng_normal(&r, at));
            }
    }
    for (int s = 0; s < 2; s++)
        t->x[s] = matrix(t->data[s], SAMPLES, widths[s]);
    t->o = (struct dca_opts){.label = t->label, .classes = CLASSES};
}

static void fit(struct dca *d, const struct toy *t)
{
    struct err e = {0};

    if (dca_fit(d, t->x, &t->o, &e) < 0)
        fail_msg("%s", e.msg);
}

/* ---- the paper's promises ---- */

/* The means of the classes of Y, less that of all, times sqrt(n); [c, n].  */
static void between(double *m, const double *y, int64_t n, const int64_t *label)
{
    double all[WIDE] = {0}, count[CLASSES] = {0};

    memset(m, 0, (size_t)(CLASSES * n) * sizeof *m);
    for (int64_t i = 0; i < SAMPLES; i++) {
        count[label[i]]++;
        for (int64_t k = 0; k < n; k++) {
            m[label[i] * n + k] += y[i * n + k];
            all[k] += y[i * n + k] / SAMPLES;
        }
    }
    for (int64_t c = 0; c < CLASSES; c++)
        for (int64_t k = 0; k < n; k++)
            m[c * n + k] = sqrt(count[c]) * (m[c * n + k] / count[c] - all[k]);
}

static double product(const double *a, const double *b, int64_t rows, int64_t n,
                      int64_t i, int64_t j)
{
    double sum = 0;

    for (int64_t k = 0; k < rows; k++)
        sum += a[k * n + i] * b[k * n + j];
    return sum;
}

/* After the first step the scatter between classes is the identity.  */
static void test_scatter(void **state)
{
    struct err e = {0};
    struct toy t;

    (void)state;
    make(&t, 0);
    for (int s = 0; s < 2; s++) {
        double y[SAMPLES * WIDE], m[CLASSES * WIDE];
        struct tensor w, mean;
        int64_t n;

        assert_int_equal(dca_separate(&w, &mean, &t.x[s], "first", &t.o, &e),
                         0);
        n = w.shape.dim[0];
        assert_int_equal(n, CLASSES - 1);
        for (int64_t i = 0; i < SAMPLES; i++)
            for (int64_t k = 0; k < n; k++) {
                y[i * n + k] = 0;
                for (int64_t j = 0; j < widths[s]; j++)
                    y[i * n + k] += ((double *)w.data)[k * widths[s] + j] *
                                    (double)t.data[s][i * widths[s] + j];
            }
        between(m, y, n, t.label);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                assert_true(fabs(product(m, m, CLASSES, n, i, j) - (i == j)) <
                            1e-10);
        tensor_unref(&w);
        tensor_unref(&mean);
    }
}

/* At the end the covariance between the sets is, up to the weights' rounding
 * to f32, and the classes are still apart along the axes alone.  */
static void test_covariance(void **state)
{
    double y[2][SAMPLES * CLASSES], m[CLASSES * CLASSES];
    struct tensor fused;
    struct err e = {0};
    struct dca d;
    struct toy t;

    (void)state;
    make(&t, 0);
    fit(&d, &t);
    assert_int_equal(d.n, CLASSES - 1);
    assert_int_equal(dca_fuse(&fused, &d, t.x, DCA_CONCAT, NULL, &e), 0);
    for (int s = 0; s < 2; s++)
        for (int64_t i = 0; i < SAMPLES * d.n; i++)
            y[s][i] =
                (double)((float *)
                             fused.data)[i / d.n * 2 * d.n + s * d.n + i % d.n];
    for (int64_t i = 0; i < d.n; i++)
        for (int64_t j = 0; j < d.n; j++)
            assert_true(fabs(product(y[0], y[1], SAMPLES, d.n, i, j) -
                             (i == j)) < 1e-5);
    for (int s = 0; s < 2; s++) {
        between(m, y[s], d.n, t.label);
        for (int64_t i = 0; i < d.n; i++)
            for (int64_t j = 0; j < i; j++)
                assert_true(fabs(product(m, m, CLASSES, d.n, i, j)) < 1e-5);
    }
    tensor_unref(&fused);
    dca_release(&d);
}

/* ---- numpy ---- */

static void near(const struct tensor *t, const float *want, int64_t n)
{
    double scale = 0;

    assert_int_equal(tensor_count(t), n);
    for (int64_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)want[i]));
    for (int64_t i = 0; i < n; i++)
        assert_true(fabs((double)((float *)t->data)[i] - (double)want[i]) <
                    8 * (double)FLT_EPSILON * scale);
}

static void test_numpy(void **state)
{
    enum { N = sizeof ref_label / sizeof *ref_label, W = 6, V = 3 };
    float first[N * W], second[N * V];
    struct tensor x[2] = {matrix(first, N, W), matrix(second, N, V)}, y;
    struct dca_opts o = {.label = ref_label, .classes = 4};
    struct err e = {0};
    struct dca d;

    (void)state;
    memcpy(first, ref_first, sizeof first);
    memcpy(second, ref_second, sizeof second);
    assert_int_equal(dca_fit(&d, x, &o, &e), 0);
    assert_int_equal(d.n, 3);
    near(&d.weight[0], ref_first_weight, 3 * W);
    near(&d.bias[0], ref_first_bias, 3);
    near(&d.weight[1], ref_second_weight, 3 * V);
    near(&d.bias[1], ref_second_bias, 3);
    assert_int_equal(dca_fuse(&y, &d, x, DCA_ADD, NULL, &e), 0);
    near(&y, ref_fused, N * 3);
    tensor_unref(&y);
    dca_release(&d);
}

/* ---- what it is for ---- */

/* The samples of Y whose nearest mean, of those that Z's classes have, is that
 * of their class.  */
static int right(const float *z, const int64_t *of, const float *y,
                 const int64_t *label, int64_t n)
{
    double mean[CLASSES * 2 * WIDE] = {0}, count[CLASSES] = {0};
    int hits = 0;

    for (int64_t i = 0; i < SAMPLES; i++) {
        count[of[i]]++;
        for (int64_t k = 0; k < n; k++)
            mean[of[i] * n + k] += (double)z[i * n + k];
    }
    for (int64_t i = 0; i < SAMPLES; i++) {
        double best = INFINITY;
        int64_t nearest = 0;

        for (int64_t c = 0; c < CLASSES; c++) {
            double far = 0;

            for (int64_t k = 0; k < n; k++)
                far +=
                    pow((double)y[i * n + k] - mean[c * n + k] / count[c], 2);
            if (far < best)
                best = far, nearest = c;
        }
        hits += nearest == label[i];
    }
    return hits;
}

/* On samples that were not fitted.  */
static void test_better(void **state)
{
    struct tensor seen, unseen;
    struct err e = {0};
    struct toy t, u;
    struct dca d;

    (void)state;
    make(&t, 0);
    make(&u, SAMPLES);
    fit(&d, &t);
    for (int how = DCA_ADD; how <= DCA_CONCAT; how++) {
        int hits;

        assert_int_equal(dca_fuse(&seen, &d, t.x, how, NULL, &e), 0);
        assert_int_equal(dca_fuse(&unseen, &d, u.x, how, NULL, &e), 0);
        hits =
            right(seen.data, t.label, unseen.data, u.label, seen.shape.dim[1]);
        for (int s = 0; s < 2; s++) {
            const int alone =
                right(t.data[s], t.label, u.data[s], u.label, widths[s]);

            assert_true(hits > alone);
            fprintf(stderr, "%d %d\n", hits, alone);
        }
        tensor_unref(&seen);
        tensor_unref(&unseen);
    }
    dca_release(&d);
}

/* ---- at the edges ---- */

static void test_threads(void **state)
{
    struct pool *pool = pool_new(3);
    struct dca one, many;
    struct toy t;

    (void)state;
    make(&t, 0);
    fit(&one, &t);
    t.o.pool = pool;
    fit(&many, &t);
    for (int s = 0; s < 2; s++) {
        assert_memory_equal(one.weight[s].data, many.weight[s].data,
                            tensor_bytes(&one.weight[s]));
        assert_memory_equal(one.bias[s].data, many.bias[s].data,
                            tensor_bytes(&one.bias[s]));
    }
    dca_release(&one);
    dca_release(&many);
    pool_free(pool);
}

/* Fewer features than classes, the first directions alone, one sample a class
 * and a class of none.  */
static void test_few(void **state)
{
    struct dca d, part;
    struct toy t;

    (void)state;
    make(&t, 0);
    t.x[1] = matrix(t.data[1], SAMPLES, 2);
    fit(&d, &t);
    assert_int_equal(d.n, 2);
    make(&t, 0);
    t.o.most = 3;
    fit(&part, &t);
    assert_int_equal(part.n, 3);
    dca_release(&d);
    dca_release(&part);
    make(&t, 0);
    for (int64_t i = 0; i < 4; i++)
        t.label[i] = i + (i > 1);
    for (int s = 0; s < 2; s++)
        t.x[s].shape.dim[0] = 4;
    fit(&d, &t);
    assert_int_equal(d.n, 3);
    dca_release(&d);
}

static void refused(struct toy *t, int code, const char *word)
{
    struct err e = {0};
    struct dca d;

    assert_int_equal(dca_fit(&d, t->x, &t->o, &e), -1);
    assert_int_equal(e.code, code);
    if (!strstr(e.msg, word))
        fail_msg("'%s' is not in: %s", word, e.msg);
    assert_null(d.weight[0].data);
}

static void test_refused(void **state)
{
    struct toy t;

    (void)state;
    make(&t, 0);
    t.data[1][7 * NARROW + 2] = NAN;
    refused(&t, ERR_NONFINITE, "row 8 of the second set");
    make(&t, 0);
    t.o.classes = 1;
    refused(&t, ERR_FORMAT, "one class");
    t.o.classes = DCA_CLASSES + 1;
    refused(&t, ERR_UNSUPPORTED, "4097 classes");
    make(&t, 0);
    t.x[1].shape.dim[0]--;
    refused(&t, ERR_SHAPE, "60 samples, the second 59");
    for (int64_t i = 0; i < SAMPLES * NARROW; i++)
        t.data[1][i] = 0.1f;
    t.x[1].shape.dim[0]++;
    refused(&t, ERR_FORMAT, "the same mean in the second set");
    make(&t, 0);
    for (int64_t i = 0; i < SAMPLES * WIDE; i++)
        t.data[0][i] *= 1e-42f;
    refused(&t, ERR_NONFINITE, "does not fit f32");
}

static void test_misfit(void **state)
{
    struct err e = {0};
    struct tensor y;
    struct dca d;
    struct toy t;

    (void)state;
    make(&t, 0);
    fit(&d, &t);
    t.x[0].shape.dim[1]--;
    assert_int_equal(dca_fuse(&y, &d, t.x, DCA_ADD, NULL, &e), -1);
    assert_int_equal(e.code, ERR_SHAPE);
    assert_non_null(
        strstr(e.msg, "8 features, its projection was fitted to 9"));
    dca_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scatter), cmocka_unit_test(test_covariance),
        cmocka_unit_test(test_numpy),   cmocka_unit_test(test_better),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_few),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_misfit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
