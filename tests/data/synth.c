/* synth.c -- the embedded data set: the same everywhere, and hard enough.
 * SPDX-License-Identifier: MIT  */
#include "data/synth.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../picture.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "image/codec.h"

static struct image picture(uint64_t seed, int label, int64_t i, int size)
{
    struct err e = {0};
    struct image im;

    if (synth_image(&im, seed, label, i, size, &e) < 0)
        fail_msg("%s", e.msg);
    return im;
}

static uint32_t crc(uint64_t seed, int label, int64_t i, int size)
{
    struct image im = picture(seed, label, i, size);
    const uint32_t c = image_crc(&im);

    image_release(&im);
    return c;
}

/* Stored so that a change is seen: figures that users measured would no
 * longer be theirs.  */
static void pixels_are_fixed(void **state)
{
    uint32_t all = 0;

    (void)state;
    for (int k = 0; k < SYNTH_CLASSES; k++)
        for (int i = 0; i < 4; i++)
            all = all * 31 + crc(1, k, i, 32);
    assert_int_equal(all, 0x35336421);
    assert_int_equal(crc(9, 5, 1000000, 57), 0xef25ec99);
}

static void position_alone_decides(void **state)
{
    (void)state;
    assert_int_equal(crc(1, 2, 3, 32), crc(1, 2, 3, 32));
    assert_int_not_equal(crc(1, 2, 3, 32), crc(2, 2, 3, 32));
    assert_int_not_equal(crc(1, 2, 3, 32), crc(1, 3, 3, 32));
    assert_int_not_equal(crc(1, 2, 3, 32), crc(1, 2, 4, 32));
}

/* A picture of twice the size, averaged, is the smaller one but for noise.
 */
static void scenes_keep_at_other_sizes(void **state)
{
    struct image small = picture(3, 7, 5, 32), large = picture(3, 7, 5, 64);
    double sum = 0;

    (void)state;
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 96; x++) {
            const int at = 2 * y * 192 + x / 3 * 6 + x % 3;
            const int mean = (large.rgb[at] + large.rgb[at + 3] +
                              large.rgb[at + 192] + large.rgb[at + 195]) /
                             4;

            sum += abs(mean - small.rgb[y * 96 + x]);
        }
    assert_true(sum / (32 * 96) < 14);
    image_release(&small);
    image_release(&large);
}

static void names_are_sorted(void **state)
{
    (void)state;
    for (int i = 1; i < SYNTH_CLASSES; i++)
        assert_true(strcmp(synth_classes[i - 1], synth_classes[i]) < 0);
    assert_null(synth_classes[SYNTH_CLASSES]);
}

/* ---- a linear model: softmax regression on the pixels ---- */

enum {
    SIDE = 16,
    DIMS = 3 * SIDE * SIDE + 1,
    TRAIN = 800,
    TEST = 400,
    EPOCHS = 12
};

static void load(float *x, uint64_t seed, int n)
{
    for (int i = 0; i < n; i++) {
        struct image im = picture(seed, i % SYNTH_CLASSES, i, SIDE);
        float *row = x + (size_t)i * DIMS;

        for (int k = 0; k < DIMS - 1; k++)
            row[k] = (float)im.rgb[k] / 128 - 1;
        row[DIMS - 1] = 1;
        image_release(&im);
    }
}

static void scores(float s[SYNTH_CLASSES], const float *w, const float *x)
{
    for (int c = 0; c < SYNTH_CLASSES; c++) {
        float sum = 0;

        for (int k = 0; k < DIMS; k++)
            sum += w[c * DIMS + k] * x[k];
        s[c] = sum;
    }
}

static void learn(float *w, const float *x, int label)
{
    float s[SYNTH_CLASSES], sum = 0, top;

    scores(s, w, x);
    top = s[0];
    for (int c = 1; c < SYNTH_CLASSES; c++)
        top = fmaxf(top, s[c]);
    for (int c = 0; c < SYNTH_CLASSES; c++)
        sum += s[c] = expf(s[c] - top);
    for (int c = 0; c < SYNTH_CLASSES; c++) {
        const float g = s[c] / sum - (float)(c == label);

        for (int k = 0; k < DIMS; k++)
            w[c * DIMS + k] -= 0.003f * g * x[k];
    }
}

static double share_right(const float *w, const float *x, int n)
{
    int right = 0;

    for (int i = 0; i < n; i++) {
        float s[SYNTH_CLASSES];
        int best = 0;

        scores(s, w, x + (size_t)i * DIMS);
        for (int c = 1; c < SYNTH_CLASSES; c++)
            best = s[c] > s[best] ? c : best;
        right += best == i % SYNTH_CLASSES;
    }
    return (double)right / n;
}

/* Also on the pictures that it learns from, which bounds what more of them
 * could give.  */
static void too_hard_for_a_linear_model(void **state)
{
    float *x = xcalloc((size_t)TRAIN * DIMS, sizeof *x);
    float *y = xcalloc((size_t)TEST * DIMS, sizeof *y);
    float *w = xcalloc((size_t)SYNTH_CLASSES * DIMS, sizeof *w);

    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        const struct rng r = rng_at(seed, RNG_TEST, 0, 0);
        double right;

        load(x, seed, TRAIN);
        load(y, seed + 100, TEST);
        memset(w, 0, (size_t)SYNTH_CLASSES * DIMS * sizeof *w);
        for (int t = 0; t < EPOCHS * TRAIN; t++) {
            const int i = (int)rng_permute(&r, (uint64_t)(t % TRAIN), TRAIN);

            learn(w, x + (size_t)i * DIMS, i % SYNTH_CLASSES);
        }
        right = share_right(w, y, TEST);
        if (right >= 0.6)
            fail_msg("seed %d: a linear model has %.3f right", (int)seed,
                     right);
        /* it did learn what can be learnt */
        assert_true(share_right(w, x, TRAIN) > 0.4);
    }
    free(x);
    free(y);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_fixed),
        cmocka_unit_test(position_alone_decides),
        cmocka_unit_test(scenes_keep_at_other_sizes),
        cmocka_unit_test(names_are_sorted),
        cmocka_unit_test(too_hard_for_a_linear_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
