/* observe.c -- ranges of values, seen while running.
 * SPDX-License-Identifier: MIT  */
#include "run/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"
#include "cpu/cpu.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "op/ops.h"
#include "pass/pass.h"

/* image [N,1,1,4] -> relu -> flat = logits.  */
static struct graph *small(void)
{
    const struct shape s = {.rank = 4, .dim = {1, 1, 1, 4}, .batch = 1};
    struct graph *g = graph_new("small");
    struct value *x = graph_input(g, "image", DTYPE_F32, &s);
    struct err e = {0};

    x = graph_add(g, op_find("relu"), "relu", &x, 1, NULL, &e)->out[0];
    x = graph_add(g, op_find("flatten"), "flat", &x, 1, NULL, &e)->out[0];
    graph_output(g, "logits", x, 0);
    return g;
}

/* Sample i is i, -i, 0, i / 2.  */
static int fill(void *ctx, int64_t from, int64_t n, float *image, struct err *e)
{
    int64_t *calls = ctx;

    (void)e;
    for (int64_t i = 0; i < n; i++) {
        const float v = (float)(from + i);

        memcpy(image + 4 * i, (float[]){v, -v, 0, v / 2}, 4 * sizeof v);
    }
    ++*calls;
    return 0;
}

static int observe(struct range *r, int64_t n, struct observe_opts o,
                   struct err *e)
{
    struct graph *g = small();
    struct device *d = device_cpu_new(0);
    int bad;

    o.batch = 4;
    bad = observe_run(r, n, g, d, &o, e);
    d->free(d);
    graph_free(g);
    return bad;
}

static void extremes(void **state)
{
    struct range r[] = {{.name = "image"}, {.name = "relu"}};
    struct err e = {0};
    int64_t calls = 0;

    (void)state;
    /* 10 samples in batches of 4: the last two slots do not count.  */
    assert_int_equal(observe(r, 2,
                             (struct observe_opts){
                                 .samples = 10, .fill = fill, .ctx = &calls},
                             &e),
                     0);
    assert_true(r[0].min == -9 && r[0].max == 9);
    assert_true(r[1].min == 0 && r[1].max == 9);
    assert_int_equal(calls, 3);
}

static void twice_for_histograms(void **state)
{
    struct range r[] = {{.name = "image"}};
    struct err e = {0};
    int64_t calls = 0;

    (void)state;
    assert_int_equal(observe(r, 1,
                             (struct observe_opts){.samples = 100,
                                                   .method = OBSERVE_PERCENTILE,
                                                   .percentile = 90,
                                                   .fill = fill,
                                                   .ctx = &calls},
                             &e),
                     0);
    assert_int_equal(calls, 50);
    /* A tenth of the 400 numbers at each end: -99 to -60, 60 to 99.  */
    assert_float_equal(r[0].min, -59.5, 0.6);
    assert_true(r[0].max > 60 && r[0].max < 80);
}

static int fill_nan(void *ctx, int64_t from, int64_t n, float *image,
                    struct err *e)
{
    fill(ctx, from, n, image, e);
    image[1] = NAN;
    return 0;
}

static void errors(void **state)
{
    struct range r[] = {{.name = "image"}}, other[] = {{.name = "conv"}};
    struct err e = {0};
    int64_t calls = 0;
    struct observe_opts o = {.samples = 4, .fill = fill_nan, .ctx = &calls};

    (void)state;
    assert_int_equal(observe(r, 1, o, &e), -1);
    assert_int_equal(e.code, ERR_NONFINITE);
    assert_non_null(strstr(e.msg, "'image'"));
    e.code = ERR_NONE;
    assert_int_equal(observe(other, 1, o, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    e.code = ERR_NONE;
    o.samples = 0; /* F-151 */
    assert_int_equal(observe(r, 1, o, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
}

/* A histogram of a normal distribution of width SIGMA bins around the middle,
 * and COUNT elements in the last bin.  */
static void bell(int64_t *h, double sigma, int64_t count)
{
    for (int i = 0; i < OBSERVE_BINS; i++) {
        const double z = (i + 0.5 - OBSERVE_BINS / 2.) / sigma;

        h[i] = (int64_t)(1e6 / sigma * exp(-z * z / 2));
    }
    h[OBSERVE_BINS - 1] += count;
}

static void outliers_are_cut(void **state)
{
    int64_t h[OBSERVE_BINS];
    struct range r = {"x", -1024, 1024}, p = r, m = r;

    (void)state;
    bell(h, 20, 3);
    observe_narrow(&m, h, &(struct observe_opts){.method = OBSERVE_MINMAX});
    assert_true(m.min == -1024 && m.max == 1024);
    observe_narrow(&r, h, &(struct observe_opts){.method = OBSERVE_ENTROPY});
    assert_true(r.max < 200 && r.max > 50 && r.min > -200 && r.min < -50);
    observe_narrow(&p, h,
                   &(struct observe_opts){.method = OBSERVE_PERCENTILE,
                                          .percentile = 99.9});
    assert_true(p.max < 70 && p.max > 50 && p.min > -70 && p.min < -50);
    /* All of it.  */
    p = (struct range){"x", -1024, 1024};
    observe_narrow(&p, h,
                   &(struct observe_opts){.method = OBSERVE_PERCENTILE,
                                          .percentile = 100});
    assert_true(p.max == 1024);
}

/* F-151: a value that never changes, or is always 0.  */
static void constants(void **state)
{
    int64_t h[OBSERVE_BINS] = {100};

    (void)state;
    for (int m = OBSERVE_MINMAX; m <= OBSERVE_ENTROPY; m++) {
        const struct observe_opts o = {.method = (enum observe_method)m,
                                       .percentile = 99};
        struct range zero = {"x", 0, 0}, three = {"x", 3, 3};

        observe_narrow(&zero, h, &o);
        observe_narrow(&three, h, &o);
        assert_true(zero.min == 0 && zero.max == 0);
        assert_true(three.min == 3 && three.max == 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extremes),  cmocka_unit_test(twice_for_histograms),
        cmocka_unit_test(errors),    cmocka_unit_test(outliers_are_cut),
        cmocka_unit_test(constants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
