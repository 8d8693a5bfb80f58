/* augment.c -- every operator: the pixels of torchvision, how often it fires.
 * SPDX-License-Identifier: MIT  */
#include "data/augment.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../picture.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/codec.h"
#include "image/geometry.h"
#include "image/job.h"
#include "image/jpeg.h"
#include "ref_augment.h"

static struct image noise(int w, int h)
{
    struct image im;

    picture_noise(&im, w, h);
    return im;
}

/* The policy "op name=value ..., op ...".  */
static void parse(struct augment *a, const char *text)
{
    char *copy = xstrdup(text), *save = NULL;
    struct err e = {0};

    *a = (struct augment){.size = {8, 8}};
    for (char *w = strtok_r(copy, " ", &save); w;
         w = strtok_r(NULL, " ", &save)) {
        char *eq = strchr(w, '=');

        if (!eq) {
            assert_non_null(augment_find(w));
            augment_add(a, augment_find(w));
            continue;
        }
        *eq = 0;
        if (augment_set(a, w, eq + 1, &e) < 0)
            fail_msg("%s", e.msg);
    }
    free(copy);
}

static void apply(const struct augment *a, struct image *im, uint64_t seed,
                  uint64_t epoch, uint64_t sample, int64_t *fired)
{
    const struct rng r = rng_at(seed, RNG_AUGMENT, epoch, sample);
    struct err e = {0};

    if (augment_apply(a, im, NULL, &r, fired, NULL, &e) < 0)
        fail_msg("%s", e.msg);
}

static void as_torchvision(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ref_augment); i++) {
        struct augment a;
        struct image im;
        int64_t fired = 0;

        parse(&a, ref_augment[i].policy);
        a.size[0] = ref_augment[i].size[0];
        a.size[1] = ref_augment[i].size[1];
        im = noise(ref_augment[i].w, ref_augment[i].h);
        apply(&a, &im, 5, 2, (uint64_t)ref_augment[i].sample, &fired);
        if (im.w != ref_augment[i].to_w || im.h != ref_augment[i].to_h ||
            image_crc(&im) != ref_augment[i].crc)
            fail_msg("%s, sample %d: %dx%d %08x", ref_augment[i].policy,
                     ref_augment[i].sample, im.w, im.h, image_crc(&im));
        image_release(&im);
        augment_release(&a);
    }
}

/* ---- from a part ---- */

/* The part that the augmentation of a sample looks at.  */
struct choice {
    struct codec_part part; /* first: choose() gets it */
    const struct augment *a;
    struct rng r;
    int fast;
};

static void choose(struct codec_part *p, int w, int h)
{
    const struct choice *c = (const struct choice *)p;
    struct augment_view v;

    augment_look(c->a, w, h, &c->r, &v);
    assert_true(v.x >= 0 && v.y >= 0 && v.w > 0 && v.h > 0 && v.x + v.w <= w &&
                v.y + v.h <= h);
    p->x = v.x;
    p->y = v.y;
    p->w = v.w;
    p->h = v.h;
    p->min_w = c->fast ? 2 * v.to_w : 0;
    p->min_h = c->fast ? 2 * v.to_h : 0;
}

/* Sample I of the N bytes at P, decoded in part.  */
static void apply_in_part(const struct augment *a, struct image *im,
                          const void *p, size_t n, int fast, uint64_t i,
                          int64_t *fired)
{
    struct choice c = {
        {.choose = choose}, a, rng_at(7, RNG_AUGMENT, 0, i), fast};
    const struct codec_opts o = {.part = &c.part};
    struct err e = {0};
    int mirror;

    if (codec_decode(im, p, n, &o, &e) < 0 ||
        augment_apply(a, im, &c.part, &c.r, fired, &mirror, &e) < 0)
        fail_msg("%s", e.msg);
    if (mirror)
        geometry_flip_x(im);
}

/* What is decoded in part gives the pixels of the whole, and fires alike.  */
static void same_in_part(const char *policy, uint64_t i)
{
    const int w = 9 + (int)(i % 23), h = 31 - (int)(i % 19);
    struct image all = noise(w, h), im;
    int64_t fired[8] = {0}, want[8] = {0};
    struct str s = {0};
    struct augment a;

    str_printf(&s, "P6\n%d %d\n255\n", w, h);
    str_addn(&s, (const char *)all.rgb, (size_t)(3 * w * h));
    parse(&a, policy);
    a.size[0] = 12;
    a.size[1] = 10;
    apply_in_part(&a, &im, s.data, s.len, 1, i, fired);
    apply(&a, &all, 7, 0, i, want);
    if (im.w != all.w || im.h != all.h || image_crc(&im) != image_crc(&all))
        fail_msg("%s, sample %d: other pixels", policy, (int)i);
    assert_memory_equal(fired, want, sizeof fired);
    image_release(&im);
    image_release(&all);
    str_release(&s);
    augment_release(&a);
}

static void in_part(void **state)
{
    static const char *const policies[] = {
        "flip",
        "pad_crop flip",
        "pad_crop pad=2 mode=reflect flip",
        "random_crop flip_y flip",
        "random_resized_crop flip",
        "flip random_resized_crop interpolation=bicubic flip flip",
        "flip pad_crop pad=1 random_resized_crop",
        "resize short=16 center_crop flip",
        "flip resize",
        "flip center_crop flip",
        "grey p=0.5 random_resized_crop flip",
        "random_resized_crop flip color_jitter cutout",
    };

    (void)state;
    for (size_t k = 0; k < COUNT(policies); k++)
        for (uint64_t i = 0; i < 80; i++)
            same_in_part(policies[k], i);
}

/* ---- as a job ---- */

/* All is done, then the network's size made, at once or by a job.  */
static void same_as_job(const char *policy, int here, uint64_t i)
{
    const int w = 9 + (int)(i % 23), h = 31 - (int)(i % 19);
    struct image im = noise(w, h), all = noise(w, h), want, to;
    const struct rng r = rng_at(7, RNG_AUGMENT, 0, i);
    int64_t fired[8] = {0}, as[8] = {0};
    struct picture_job j;
    struct err e = {0};
    struct augment a;

    parse(&a, policy);
    a.size[0] = 12;
    a.size[1] = 10;
    assert_int_equal(augment_here(&a), here);
    apply(&a, &all, 7, 0, i, as);
    assert_int_equal(resize(&want, &all, 10, 12, RESIZE_BICUBIC, &e), 0);
    assert_int_equal(
        augment_defer(&a, &im, NULL, RESIZE_BICUBIC, &r, fired, &j, &e), 0);
    assert_int_equal(job_run(&j, &to, &im, &e), 0);
    if (to.w != 10 || to.h != 12 || image_crc(&to) != image_crc(&want))
        fail_msg("%s, sample %d: other pixels", policy, (int)i);
    assert_memory_equal(fired, as, sizeof fired);
    image_release(&im);
    image_release(&all);
    image_release(&want);
    image_release(&to);
    augment_release(&a);
}

static void as_job(void **state)
{
    static const struct {
        const char *policy;
        int here;
    } rows[] = {
        {"", 0},
        {"flip", 0},
        {"pad_crop flip", 0},
        {"pad_crop pad=3 mode=edge flip color_jitter hue=0.2", 0},
        {"random_resized_crop flip color_jitter grey random_erasing", 0},
        {"flip random_resized_crop interpolation=nearest flip_y flip", 0},
        {"flip_y p=1 random_resized_crop flip", 0},
        {"resize short=16 center_crop flip", 0},
        {"resize short=14 random_crop pad=5 mode=reflect flip_y cutout", 0},
        {"resize short=14 flip random_crop pad=5 mode=reflect flip", 0},
        {"resize short=20 random_resized_crop flip", 0},
        {"color_jitter random_resized_crop cutout fill=noise flip", 0},
        {"cutout flip_y p=0.5 grey", 0},
        {"rotate flip", 1},
        {"flip pad_crop rotate random_resized_crop flip", 3},
        {"random_resized_crop gaussian_blur p=1", 2},
        {"color_jitter color_jitter color_jitter color_jitter flip", 0},
    };

    (void)state;
    for (size_t k = 0; k < COUNT(rows); k++)
        for (uint64_t i = 0; i < 80; i++)
            same_as_job(rows[k].policy, rows[k].here, i);
}

/* W x H pixels, brighter to the right and to the bottom.  */
static uint8_t *slope(int w, int h, size_t *n)
{
    struct image im;
    struct err e = {0};
    uint8_t *p;

    assert_int_equal(image_new(&im, w, h, &e), 0);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            uint8_t *q = im.rgb + 3 * (y * w + x);

            q[0] = q[1] = q[2] = (uint8_t)(x * 128 / w + y * 127 / h);
        }
    p = jpeg_encode(&im, 98, n, &e);
    image_release(&im);
    return p;
}

/* Scaled while it is decoded, a part stays in its place.  */
static void in_scaled_part(void **state)
{
    size_t n;
    uint8_t *p = slope(403, 305, &n);
    struct augment a;

    (void)state;
    parse(&a, "flip random_resized_crop min_scale=0.1");
    for (uint64_t i = 0; p && i < 60; i++) {
        struct image im, want;

        apply_in_part(&a, &im, p, n, 1, i, NULL);
        apply_in_part(&a, &want, p, n, 0, i, NULL);
        for (int k = 0; k < 3 * 8 * 8; k++)
            assert_in_range(im.rgb[k] + 2, want.rgb[k], want.rgb[k] + 4);
        image_release(&im);
        image_release(&want);
    }
    if (!p)
        print_message("# skipped: needs libjpeg-turbo\n");
    free(p);
    augment_release(&a);
}

/* ---- how often ---- */

enum { TRIES = 3000 };

static void fires(const char *policy, double share)
{
    const double sigma = sqrt(share * (1 - share) / TRIES);
    struct augment a;
    int64_t fired = 0, changed = 0;

    parse(&a, policy);
    for (int i = 0; i < TRIES; i++) {
        struct image im = noise(11, 9), was = noise(11, 9);
        const int64_t before = fired;
        int same;

        a.size[0] = 9;
        a.size[1] = 11;
        apply(&a, &im, 1, 0, (uint64_t)i, &fired);
        same = im.w == was.w && im.h == was.h &&
               !memcmp(im.rgb, was.rgb, 11 * 9 * 3);
        changed += !same;
        if (fired == before)
            assert_true(same); /* what did not fire changed nothing */
        image_release(&im);
        image_release(&was);
    }
    if (fabs((double)fired / TRIES - share) > 4.5 * sigma + 1e-9 ||
        (double)changed < 0.95 * (double)fired)
        fail_msg("%s fired %.4f of the times, not %.4f; changed %d", policy,
                 (double)fired / TRIES, share, (int)changed);
    augment_release(&a);
}

static void fire_rates(void **state)
{
    (void)state;
    fires("flip", 0.5);
    fires("flip p=0.25", 0.25);
    fires("flip p=0", 0);
    fires("flip_y", 0.5);
    fires("grey", 0.1);
    fires("pad_crop", 80. / 81);
    fires("pad_crop pad=1", 8. / 9);
    fires("random_crop pad=2 mode=edge", 24. / 25);
    fires("random_resized_crop max_scale=0.9", 1);
    fires("color_jitter", 1);
    fires("color_jitter p=0.3 hue=0.5", 0.3);
    fires("color_jitter brightness=0 contrast=0 saturation=0", 0);
    fires("rotate p=0.7 degrees=90 interpolation=bilinear", 0.7);
    fires("rotate degrees=0", 0);
    fires("random_erasing", 0.5);
    fires("random_erasing p=1 fill=noise", 1);
    fires("cutout length=3 p=0.4 fill=grey", 0.4);
    fires("gaussian_blur min_sigma=0.5", 0.5);
    fires("center_crop", 0);
    fires("resize", 0);
    fires("resize short=5", 1);
}

/* Every operator is in the tests above.  */
static void none_forgotten(void **state)
{
    (void)state;
    for (int i = 0; augment_ops[i]; i++) {
        int found = !strcmp(augment_ops[i]->name, "gaussian_blur");
        const size_t n = strlen(augment_ops[i]->name);

        for (size_t k = 0; k < COUNT(ref_augment); k++)
            found |= !strncmp(ref_augment[k].policy, augment_ops[i]->name, n);
        if (!found)
            fail_msg("%s has no stored answer", augment_ops[i]->name);
        if (i)
            assert_true(strcmp(augment_ops[i - 1]->name, augment_ops[i]->name) <
                        0);
    }
}

/* ---- independence ---- */

static void steps_draw_for_themselves(void **state)
{
    struct augment a;
    int both = 0, one = 0;

    (void)state;
    parse(&a, "flip flip_y");
    for (int i = 0; i < 1000; i++) {
        struct image im = noise(5, 3);
        int64_t fired[2] = {0};

        apply(&a, &im, 1, 0, (uint64_t)i, fired);
        both += fired[0] && fired[1];
        one += fired[0] != fired[1];
        image_release(&im);
    }
    assert_in_range(both, 190, 310);
    assert_in_range(one, 430, 570);
    augment_release(&a);
}

static void epochs_differ(void **state)
{
    struct augment a;
    int same = 0;

    (void)state;
    parse(&a, "pad_crop");
    for (int i = 0; i < 200; i++) {
        struct image x = noise(8, 8), y = noise(8, 8);
        struct image z = noise(8, 8);

        apply(&a, &x, 1, 0, (uint64_t)i, NULL);
        apply(&a, &y, 1, 1, (uint64_t)i, NULL);
        apply(&a, &z, 1, 0, (uint64_t)i, NULL);
        assert_memory_equal(x.rgb, z.rgb, 192);
        same += !memcmp(x.rgb, y.rgb, 192);
        image_release(&x);
        image_release(&y);
        image_release(&z);
    }
    assert_true(same < 12); /* 200 / 81 expected */
    augment_release(&a);
}

/* ---- gaussian_blur, against the formula in double ---- */

static int mirror(int i, int n)
{
    while (i < 0 || i >= n)
        i = i < 0 ? -i : 2 * (n - 1) - i;
    return i;
}

static double blurred(const struct image *im, int x, int y, int c, double s)
{
    const int r = (int)ceil(3 * s);
    double sum = 0, all = 0;

    for (int i = -r; i <= r; i++)
        for (int k = -r; k <= r; k++) {
            const double w = exp(-(i * i + k * k) / (2 * s * s));

            all += w;
            sum += w * im->rgb[3 * (mirror(y + i, im->h) * im->w +
                                    mirror(x + k, im->w)) +
                               c];
        }
    return sum / all;
}

static void gaussian_blur(void **state)
{
    static const double sigmas[] = {0.3, 1, 2.5};
    struct augment a;

    (void)state;
    for (size_t i = 0; i < COUNT(sigmas); i++) {
        struct image im = noise(11, 6), was = noise(11, 6);
        double *v;

        a = (struct augment){0};
        v = augment_add(&a, augment_find("gaussian_blur"));
        v[0] = 1;
        v[1] = v[2] = sigmas[i];
        apply(&a, &im, 1, 0, 0, NULL);
        for (int k = 0; k < 11 * 6 * 3; k++)
            assert_true(fabs(im.rgb[k] - blurred(&was, k / 3 % 11, k / 33,
                                                 k % 3, sigmas[i])) < 1.02);
        image_release(&im);
        image_release(&was);
        augment_release(&a);
    }
}

/* A picture of one pixel survives everything.  */
static void smallest_pictures(void **state)
{
    (void)state;
    for (int i = 0; augment_ops[i]; i++)
        for (int k = 0; k < 20; k++) {
            struct augment a = {.size = {3, 2}};
            struct image im = noise(1 + k % 2, 1 + k % 3);

            augment_add(&a, augment_ops[i]);
            apply(&a, &im, 1, 0, (uint64_t)k, NULL);
            image_release(&im);
            augment_release(&a);
        }
}

/* ---- settings ---- */

static void refuses(struct augment *a, const char *name, const char *text,
                    const char *want)
{
    struct err e = {0};

    assert_int_equal(augment_set(a, name, text, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    assert_string_equal(e.msg, want);
}

static void settings(void **state)
{
    struct augment a;

    (void)state;
    assert_null(augment_find("flop"));
    parse(&a, "flip pad_crop pad=7 mode=reflect");
    assert_int_equal(a.n, 2);
    assert_true(a.step[0].v[0] == 0.5 && a.step[1].v[0] == 7 &&
                a.step[1].v[1] == 2);
    refuses(&a, "padd", "1",
            "augmentation 'pad_crop' has no argument 'padd'; did you mean "
            "'pad'?");
    refuses(&a, "probability", "1",
            "augmentation 'pad_crop' has no argument 'probability', only pad, "
            "mode");
    refuses(&a, "pad", "1.5",
            "'pad' of augmentation 'pad_crop' is a whole number from 0 to "
            "1024, not '1.5'");
    refuses(&a, "pad", "-1",
            "'pad' of augmentation 'pad_crop' is a whole number from 0 to "
            "1024, not '-1'");
    refuses(&a, "mode", "zero",
            "'mode' of augmentation 'pad_crop' is one of constant, edge, "
            "reflect, not 'zero'");
    augment_add(&a, augment_find("flip"));
    refuses(&a, "p", "nan",
            "'p' of augmentation 'flip' is a number from 0 to 1, not 'nan'");
    assert_true(a.step[2].v[0] == 0.5);
    augment_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_torchvision),
        cmocka_unit_test(in_part),
        cmocka_unit_test(as_job),
        cmocka_unit_test(in_scaled_part),
        cmocka_unit_test(fire_rates),
        cmocka_unit_test(none_forgotten),
        cmocka_unit_test(steps_draw_for_themselves),
        cmocka_unit_test(epochs_differ),
        cmocka_unit_test(gaussian_blur),
        cmocka_unit_test(smallest_pictures),
        cmocka_unit_test(settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
