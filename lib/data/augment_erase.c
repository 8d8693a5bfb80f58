/* augment_erase.c -- operators that paint over a part of the picture.
 * SPDX-License-Identifier: MIT  */
#include <math.h>

#include "data/augment_ops.h"

static const char *const fills[] = {"black", "grey", "noise", NULL};

/* ---- random_erasing: Zhong et al., arXiv 1708.04896 ---- */

enum { P, MIN_AREA, MAX_AREA, MIN_RATIO, MAX_RATIO, FILL, TRIES = 10 };

static int draw_erasing(struct change *to, int in_w, int in_h, const double *v,
                        const struct rng *r)
{
    if (!augment_coin(r, 0, v[P]))
        return 0;
    for (uint64_t t = 1; t <= TRIES; t++) {
        const double area = (double)in_w * in_h *
                            augment_between(r, 4 * t, v[MIN_AREA], v[MAX_AREA]);
        const double ratio = exp(augment_between(
            r, 4 * t + 1, log(v[MIN_RATIO]), log(v[MAX_RATIO])));
        const double h = rint(sqrt(area * ratio)), w = rint(sqrt(area / ratio));

        if (w < 1 || h < 1 || w >= in_w || h >= in_h)
            continue;
        *to = (struct change){
            .kind = CHANGE_ERASE,
            .x = (int)rng_below(r, 4 * t + 2, (uint64_t)(in_w - (int)w) + 1),
            .y = (int)rng_below(r, 4 * t + 3, (uint64_t)(in_h - (int)h) + 1),
            .w = (int)w,
            .h = (int)h,
            .fill = (enum change_fill)(int)v[FILL],
            .noise = rng_sub(r, 0)};
        return 1;
    }
    return 0;
}

static const struct augment_arg erasing_arg[] = {
    AUGMENT_P(0.5),
    {"min_area", 'f', 0.02, 1e-4, 1, NULL, "smallest share of the picture"},
    {"max_area", 'f', 1. / 3, 1e-4, 1, NULL, "largest share of the picture"},
    {"min_ratio", 'f', 0.3, 1e-2, 1e2, NULL, "smallest height / width"},
    {"max_ratio", 'f', 10. / 3, 1e-2, 1e2, NULL, "largest height / width"},
    {"fill", 'c', FILL_BLACK, 0, 0, fills, "what is painted"},
    {0}};

const struct augment_op augment_random_erasing = {
    "random_erasing", "paint over a random rectangle", erasing_arg,
    .changes = draw_erasing};

/* ---- cutout: DeVries and Taylor, arXiv 1708.04552 ---- */

enum { C_P, C_LENGTH, C_FILL };

static int clip(int v, int high)
{
    return v < 0 ? 0 : v > high ? high : v;
}

/* The middle of the square lies anywhere in the picture, so that its edge may
 * fall outside.  */
static int draw_cutout(struct change *to, int w, int h, const double *v,
                       const struct rng *r)
{
    const int n = (int)v[C_LENGTH];
    const int x = (int)rng_below(r, 1, (uint64_t)w) - n / 2;
    const int y = (int)rng_below(r, 2, (uint64_t)h) - n / 2;
    const int x0 = clip(x, w), x1 = clip(x + n, w);
    const int y0 = clip(y, h), y1 = clip(y + n, h);

    *to = (struct change){.kind = CHANGE_ERASE,
                          .x = x0,
                          .y = y0,
                          .w = x1 - x0,
                          .h = y1 - y0,
                          .fill = (enum change_fill)(int)v[C_FILL],
                          .noise = rng_sub(r, 0)};
    return augment_coin(r, 0, v[C_P]) && x1 > x0 && y1 > y0;
}

static const struct augment_arg cutout_arg[] = {
    AUGMENT_P(1),
    {"length", 'i', 16, 1, 65535, NULL, "pixels of the square's side"},
    {"fill", 'c', FILL_BLACK, 0, 0, fills, "what is painted"},
    {0}};

const struct augment_op augment_cutout = {
    "cutout", "paint over a square around a random point", cutout_arg,
    .changes = draw_cutout};
