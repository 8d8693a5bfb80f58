/* augment_colour.c -- operators on colours.
 * SPDX-License-Identifier: MIT  */
#include "data/augment_ops.h"

/* ---- color_jitter ---- */

enum { P, BRIGHTNESS, CONTRAST, SATURATION, HUE, KINDS = 4 };

static const enum change_kind kinds[KINDS] = {
    CHANGE_BRIGHTNESS, CHANGE_CONTRAST, CHANGE_SATURATION, CHANGE_HUE};

/* The four kinds in a random order: torchvision shuffles them too.  */
static void draw_order(int order[KINDS], const struct rng *r)
{
    for (int i = 0; i < KINDS; i++)
        order[i] = (int)rng_permute(r, (uint64_t)i, KINDS);
}

static int draw_jitter(struct change *to, int w, int h, const double *v,
                       const struct rng *r)
{
    const struct rng shuffle = rng_sub(r, 0);
    int order[KINDS], n = 0;

    (void)w;
    (void)h;
    if (!augment_coin(r, 0, v[P]))
        return 0;
    draw_order(order, &shuffle);
    for (int i = 0; i < KINDS; i++) {
        const int k = order[i];
        const double by = v[BRIGHTNESS + k];
        const double low = k == KINDS - 1 ? -by : by < 1 ? 1 - by : 0;
        const double high = k == KINDS - 1 ? by : 1 + by;

        if (by > 0)
            to[n++] = (struct change){
                .kind = kinds[k],
                .by = augment_between(r, (uint64_t)(k + 1), low, high)};
    }
    return n;
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
    jitter_arg, .changes = draw_jitter};

/* ---- grey ---- */

static int draw_grey(struct change *to, int w, int h, const double *v,
                     const struct rng *r)
{
    (void)w;
    (void)h;
    *to = (struct change){.kind = CHANGE_GREY};
    return augment_coin(r, 0, v[0]);
}

static const struct augment_arg grey_arg[] = {AUGMENT_P(0.1), {0}};

const struct augment_op augment_grey = {"grey", "take the colours away",
                                        grey_arg, .changes = draw_grey};
