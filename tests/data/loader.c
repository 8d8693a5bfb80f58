/* loader.c -- batches: order, preprocessing, bad samples.
 * SPDX-License-Identifier: MIT  */
#include "data/loader.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../picture.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/stream.h"
#include "base/thread.h"
#include "data/synth.h"
#include "data/tar.h"
#include "image/codec.h"
#include "image/pack.h"
#include "image/resize.h"
#include "ref_loader.h"

enum { N = 20, SIDE = 8 };

static const struct preprocess pre8 = {
    .size = {SIDE, SIDE}, .std = {1, 1, 1}, .channels = 3};

static char path[] = "/tmp/adze-loader-XXXXXX";

/* A tar of N synthetic pictures of SIDE + I % 2 pixels; those in BAD (a
 * string of letters, 'a' for 0) are cut short.  */
static struct dataset *make_set(const char *bad, int wobble)
{
    struct err e = {0};
    struct dataset *d;
    struct out o;

    assert_int_equal(out_open(&o, path, &e), 0);
    for (int i = 0; i < N; i++) {
        const int side = SIDE + (wobble ? i % 3 : 0);
        struct str s = {0};
        struct image im;
        char name[32];

        assert_int_equal(synth_image(&im, 1, i % 10, i, side, &e), 0);
        str_printf(&s, "P6\n%d %d\n255\n", side, side);
        str_addn(&s, (const char *)im.rgb, (size_t)(3 * side * side));
        snprintf(name, sizeof name, "%d/%02d.ppm", i % 10, i);
        assert_int_equal(tar_write(&o, name, s.data,
                                   strchr(bad, 'a' + i) ? s.len / 2 : s.len,
                                   &e),
                         0);
        image_release(&im);
        str_release(&s);
    }
    assert_int_equal(tar_write_end(&o, &e), 0);
    assert_int_equal(out_commit(&o, &e), 0);
    d = dataset_open(path, NULL, &e);
    if (!d)
        fail_msg("%s", e.msg);
    return d;
}

static int make_path(void **state)
{
    (void)state;
    return close(mkstemp(path));
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

struct batch {
    float image[N * 3 * SIDE * SIDE];
    int64_t target[N], count;
};

static void get(struct loader *l, struct batch *b, int64_t epoch, int64_t step,
                struct pool *p)
{
    struct err e = {0};

    memset(b, 0, sizeof *b);
    if (loader_batch(l, epoch, step, b->image, b->target, &b->count, p, &e) < 0)
        fail_msg("%s", e.msg);
}

static void same_for_any_thread_count(void **state)
{
    struct augment a = {.size = {SIDE, SIDE}};
    struct loader_opts o = {.pre = pre8,
                            .augment = &a,
                            .sampler = {.n = N,
                                        .batch = 7,
                                        .shuffle = 1,
                                        .keep_last = 1,
                                        .seed = 3},
                            .bad = BAD_SKIP,
                            .max_bad = 9};
    struct dataset *d = make_set("bdq", 1);
    struct pool *p = pool_new(4);
    struct loader *one, *many;
    const char *const *reason;
    const int64_t *index;
    int64_t pictures;

    (void)state;
    augment_add(&a, augment_find("pad_crop"));
    augment_add(&a, augment_find("flip"));
    augment_add(&a, augment_find("color_jitter"));
    one = loader_new(d, &o);
    many = loader_new(d, &o);
    for (int epoch = 0; epoch < 3; epoch++)
        for (int step = 0; step < 3; step++) {
            struct batch x, y;

            get(one, &x, epoch, step, NULL);
            get(many, &y, epoch, step, p);
            assert_memory_equal(&x, &y, sizeof x);
            assert_int_equal(x.count, step < 2 ? 7 : 6);
        }
    assert_int_equal(loader_bad(many, &index, &reason), 3);
    assert_true(index[0] == 1 && index[1] == 3 && index[2] == 16);
    assert_non_null(strstr(reason[2], "6/16.ppm"));
    assert_memory_equal(loader_fired(one, &pictures),
                        loader_fired(many, &pictures), 3 * sizeof(int64_t));
    assert_int_equal(pictures, 60);
    loader_free(one);
    loader_free(many);
    pool_free(p);
    dataset_free(d);
    augment_release(&a);
}

static void bad_slots_take_the_next_good(void **state)
{
    const struct loader_opts o = {.pre = pre8,
                                  .sampler = {.n = N, .batch = 4},
                                  .bad = BAD_SKIP,
                                  .max_bad = 5};
    const size_t one = 3 * SIDE * SIDE * sizeof(float);
    const size_t n = 3 * SIDE * SIDE;
    struct dataset *d = make_set("bcdh", 0);
    struct loader *l = loader_new(d, &o);
    struct batch b;

    (void)state;
    get(l, &b, 0, 0, NULL);
    /* b, c and d come from a, around the corner */
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(b.target[i], 0);
        assert_memory_equal(b.image + i * n, b.image, one);
    }
    get(l, &b, 0, 1, NULL);
    assert_int_equal(b.target[3], 4); /* h is e */
    assert_memory_equal(b.image + 3 * n, b.image, one);
    assert_int_equal(b.target[2], 6);
    loader_free(l);
    dataset_free(d);
}

static void count_told(void *ctx, const char *reason)
{
    assert_non_null(strstr(reason, ".ppm': "));
    ++*(int *)ctx;
}

static void bad_slots_are_dropped(void **state)
{
    int told = 0;
    const struct loader_opts o = {.pre = pre8,
                                  .sampler = {.n = N, .batch = 4},
                                  .bad = BAD_DROP,
                                  .max_bad = 6,
                                  .on_bad = count_told,
                                  .ctx = &told};
    const size_t n = 3 * SIDE * SIDE;
    struct dataset *d = make_set("acefgh", 0);
    struct loader *l = loader_new(d, &o);
    struct batch b;

    (void)state;
    for (int again = 0; again < 2; again++) {
        get(l, &b, 0, 0, NULL);
        assert_int_equal(b.count, 4);
        for (int64_t i = 0; i < 4; i++)
            assert_int_equal(loader_index(l, i), i % 2 ? i : -1);
        for (size_t i = 0; i < n; i++)
            assert_true(b.image[i] == 0 && b.image[2 * n + i] == 0);
        get(l, &b, 0, 1, NULL); /* of bad ones alone */
        assert_int_equal(b.count, 4);
        for (int64_t i = 0; i < 4; i++)
            assert_int_equal(loader_index(l, i), -1);
    }
    assert_int_equal(told, 6);
    loader_free(l);
    dataset_free(d);
}

static void fails(struct dataset *d, const struct loader_opts *o,
                  const char *text)
{
    struct loader *l = loader_new(d, o);
    struct err e = {0};
    struct batch b;

    assert_int_equal(
        loader_batch(l, 0, 0, b.image, b.target, &b.count, NULL, &e), -1);
    assert_int_not_equal(e.code, ERR_NONE);
    if (!strstr(e.msg, text))
        fail_msg("%s", e.msg);
    loader_free(l);
}

static void bad_samples_that_end_it(void **state)
{
    struct loader_opts o = {.pre = pre8, .sampler = {.n = N, .batch = 4}};
    struct dataset *d = make_set("bc", 0);

    (void)state;
    fails(d, &o, "1/01.ppm': "); /* the first in order */
    o.bad = BAD_SKIP;
    o.max_bad = 1;
    fails(
        d, &o,
        "2 samples cannot be used, 1 are allowed (recipe key train.max_bad); the first: ");
    dataset_free(d);
    d = make_set("abcd", 0);
    o.max_bad = 9;
    fails(d, &o, "no sample of a batch can be used; the first: ");
    dataset_free(d);
}

static void last_batch_is_padded_with_its_first(void **state)
{
    const struct loader_opts o = {
        .pre = pre8, .sampler = {.n = N, .batch = 6, .keep_last = 1}};
    const size_t n = 3 * SIDE * SIDE;
    struct dataset *d = make_set("", 0);
    struct loader *l = loader_new(d, &o);
    struct batch b;

    (void)state;
    get(l, &b, 0, 3, NULL);
    assert_int_equal(b.count, 2);
    for (size_t i = 2; i < 6; i++) {
        assert_int_equal(b.target[i], b.target[0]);
        assert_memory_equal(b.image + i * n, b.image, n * sizeof(float));
    }
    loader_free(l);
    dataset_free(d);
}

/* A picture whose bytes are the floats of another: for its CRC.  */
static uint32_t crc_of(const float *y, int w, int h)
{
    struct image im = {.w = w, .h = h * 4, .rgb = (uint8_t *)(uintptr_t)y};

    return image_crc(&im);
}

static void as_torchvision(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ref_loader); i++) {
        const int *size = ref_loader[i].size;
        const struct preprocess pre = {.size = {size[0], size[1]},
                                       .resize = ref_loader[i].resize_px
                                                     ? PREPROCESS_SHORT
                                                     : PREPROCESS_EXACT,
                                       .resize_px = ref_loader[i].resize_px,
                                       .interpolation = ref_loader[i].kernel,
                                       .mean = {.485f, .456f, .406f},
                                       .std = {.229f, .224f, .225f},
                                       .channels = 3};
        float y[3 * 64];
        struct err e = {0};
        struct image im;

        picture_noise(&im, ref_loader[i].w, ref_loader[i].h);
        assert_int_equal(loader_prepare(&pre, &im, y, &e), 0);
        if (crc_of(y, size[1], size[0]) != ref_loader[i].crc)
            fail_msg("row %d differs", (int)i);
        image_release(&im);
    }
}

/* Memory does not grow with the batches.  */
static void memory_stays_flat(void **state)
{
    const struct loader_opts o = {.pre = pre8,
                                  .sampler = {.n = N, .batch = 5},
                                  .bad = BAD_SKIP,
                                  .max_bad = 9};
    struct dataset *d = make_set("ad", 1);
    struct loader *l = loader_new(d, &o);
    size_t before = 0;
    struct batch b;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        get(l, &b, i / 4, i % 4, NULL);
        if (i == 10)
            before = mallinfo2().uordblks;
    }
    assert_true(mallinfo2().uordblks <= before + 4096);
    loader_free(l);
    dataset_free(d);
}

/* pack_chw and the resizers are proved elsewhere; here, that the steps are
 * taken in torchvision's order with its sizes.  */
static void preprocessing(void **state)
{
    struct preprocess pre = {.size = {5, 6},
                             .resize = PREPROCESS_SHORT,
                             .resize_px = 7,
                             .interpolation = RESIZE_BICUBIC,
                             .mean = {.1f, .2f, .3f},
                             .std = {.4f, .5f, .6f},
                             .channels = 3};
    struct image im, small, cut = {.w = 6, .h = 5};
    uint8_t rgb[5 * 6 * 3];
    float y[5 * 6 * 3], want[5 * 6 * 3];
    struct err e = {0};

    (void)state;
    assert_int_equal(synth_image(&im, 5, 3, 0, 40, &e), 0);
    im.h = 20; /* 40 x 20: the short side 7 gives 14 x 7 */
    assert_int_equal(resize(&small, &im, 14, 7, RESIZE_BICUBIC, &e), 0);
    for (int i = 0; i < 5; i++) /* from (4, 1) */
        memcpy(rgb + 18 * i, small.rgb + 3 * (14 * (1 + i) + 4), 18);
    cut.rgb = rgb;
    pack_chw(want, &cut, pre.mean, pre.std, 0, 0);
    assert_int_equal(loader_prepare(&pre, &im, y, &e), 0);
    assert_memory_equal(y, want, sizeof y);
    image_release(&small);
    pre.resize = PREPROCESS_EXACT;
    assert_int_equal(resize(&small, &im, 6, 5, RESIZE_BICUBIC, &e), 0);
    pack_chw(want, &small, pre.mean, pre.std, 1, 0);
    pre.bgr = 1;
    assert_int_equal(loader_prepare(&pre, &im, y, &e), 0);
    assert_memory_equal(y, want, sizeof y);
    /* no resizing: the middle */
    pre.resize = PREPROCESS_NONE;
    for (int i = 0; i < 5; i++) /* from (17, 8): 7.5 is even at 8 */
        memcpy(rgb + 18 * i, im.rgb + 3 * (40 * (8 + i) + 17), 18);
    pack_chw(want, &cut, pre.mean, pre.std, 1, 0);
    assert_int_equal(loader_prepare(&pre, &im, y, &e), 0);
    assert_memory_equal(y, want, sizeof y);
    pre.resize = PREPROCESS_EXACT;
    /* one channel: Pillow's L */
    pre.channels = 1;
    assert_int_equal(loader_prepare(&pre, &im, y, &e), 0);
    assert_float_equal(y[0],
                       ((float)((small.rgb[0] * 19595 + small.rgb[1] * 38470 +
                                 small.rgb[2] * 7471 + 0x8000) >>
                                16) /
                            255 -
                        pre.mean[0]) /
                           pre.std[0],
                       1e-6);
    image_release(&small);
    image_release(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_for_any_thread_count),
        cmocka_unit_test(bad_slots_take_the_next_good),
        cmocka_unit_test(bad_slots_are_dropped),
        cmocka_unit_test(bad_samples_that_end_it),
        cmocka_unit_test(last_batch_is_padded_with_its_first),
        cmocka_unit_test(as_torchvision),
        cmocka_unit_test(memory_stays_flat),
        cmocka_unit_test(preprocessing),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}
