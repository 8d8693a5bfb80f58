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

    if (augment_apply(a, im, &r, fired, &e) < 0)
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
