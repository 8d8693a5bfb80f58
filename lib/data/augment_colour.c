/* augment_colour.c -- operators on colours.
 * SPDX-License-Identifier: MIT  */
#include "data/augment_ops.h"
#include "image/colour.h"

/* ---- color_jitter ---- */

enum { P, BRIGHTNESS, CONTRAST, SATURATION, HUE, KINDS = 4 };

static void change(struct image *im, int kind, double x)
{
    static void (*const by_factor[])(struct image *, double) = {
        colour_brightness, colour_contrast, colour_saturation, colour_hue};

    by_factor[kind](im, x);
}

/* The four kinds in a random order: torchvision shuffles them too.  */
static void draw_order(int order[KINDS], const struct rng *r)
{
    for (int i = 0; i < KINDS; i++)
        order[i] = (int)rng_permute(r, (uint64_t)i, KINDS);
}

static int apply_jitter(struct image *im, const double *v, const int size[2],
                        const struct rng *r, int *fired, struct err *e)
{
    const struct rng shuffle = rng_sub(r, 0);
    int order[KINDS];

    (void)size;
    (void)e;
    if (!augment_coin(r, 0, v[P]))
        return 0;
    draw_order(order, &shuffle);
    for (int i = 0; i < KINDS; i++) {
        const int k = order[i];
        const double by = v[BRIGHTNESS + k];
        const double low = k == KINDS - 1 ? -by : by < 1 ? 1 - by : 0;
        const double high = k == KINDS - 1 ? by : 1 + by;

        if (by <= 0)
            continue;
        *fired = 1;
        change(im, k, augment_between(r, (uint64_t)(k + 1), low, high));
    }
    return 0;
}

static const struct augment_arg jitter_arg[] = {
    AUGMENT_P(1),
    {"brightness", 'f', 0.4, 0, 10, NULL, "factor 1 - x to 1 + x"},
    {"contrast", 'f', 0.4, 0, 10, NULL, "factor 1 - x to 1 + x"},
    {"saturation", 'f', 0.4, 0, 10, NULL, "factor 1 - x to 1 + x"},
    {"hue", 'f', 0, 0, 0.5, NULL, "turned by -x to x of a circle"},
    {0}};

const struct augment_op augment_color_jitter = {
    "color_jitter",
    "brightness, contrast, saturation and hue by random factors, in random "
    "order",
    jitter_arg, apply_jitter};

/* ---- grey ---- */

static int apply_grey(struct image *im, const double *v, const int size[2],
                      const struct rng *r, int *fired, struct err *e)
{
    (void)size;
    (void)e;
    *fired = augment_coin(r, 0, v[0]);
    if (*fired)
        colour_grey(im);
    return 0;
}

static const struct augment_arg grey_arg[] = {AUGMENT_P(0.1), {0}};

const struct augment_op augment_grey = {"grey", "take the colours away",
                                        grey_arg, apply_grey};
