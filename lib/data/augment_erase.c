/* augment_erase.c -- operators that paint over a part of the picture.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <string.h>

#include "data/augment_ops.h"

static const char *const fills[] = {"black", "grey", "noise", NULL};
enum fill { BLACK, GREY, NOISE };

/* Paint [X, X + W) x [Y, Y + H), which lies inside; noise from R.  */
static void paint(struct image *im, int x, int y, int w, int h, enum fill f,
                  const struct rng *r)
{
    for (int i = 0; i < h; i++) {
        uint8_t *row =
            im->rgb + 3 * ((size_t)(y + i) * (size_t)im->w + (size_t)x);

        memset(row, f == GREY ? 128 : 0, 3 * (size_t)w);
        for (int k = 0; f == NOISE && k < 3 * w; k++)
            row[k] = (uint8_t)(rng_u32(r, (uint64_t)i * 3 * (uint64_t)w +
                                              (uint64_t)k) >>
                               24);
    }
}

/* ---- random_erasing: Zhong et al., arXiv 1708.04896 ---- */

enum { P, MIN_AREA, MAX_AREA, MIN_RATIO, MAX_RATIO, FILL, TRIES = 10 };

static int apply_erasing(struct image *im, const double *v, const int size[2],
                         const struct rng *r, int *fired, struct err *e)
{
    const struct rng noise = rng_sub(r, 0);

    (void)size;
    (void)e;
    if (!augment_coin(r, 0, v[P]))
        return 0;
    for (uint64_t t = 1; t <= TRIES && !*fired; t++) {
        const double area = (double)im->w * im->h *
                            augment_between(r, 4 * t, v[MIN_AREA], v[MAX_AREA]);
        const double ratio = exp(augment_between(
            r, 4 * t + 1, log(v[MIN_RATIO]), log(v[MAX_RATIO])));
        const double h = rint(sqrt(area * ratio)), w = rint(sqrt(area / ratio));

        if (w < 1 || h < 1 || w >= im->w || h >= im->h)
            continue;
        paint(im, (int)rng_below(r, 4 * t + 2, (uint64_t)(im->w - (int)w) + 1),
              (int)rng_below(r, 4 * t + 3, (uint64_t)(im->h - (int)h) + 1),
              (int)w, (int)h, (enum fill)(int)v[FILL], &noise);
        *fired = 1;
    }
    return 0;
}

static const struct augment_arg erasing_arg[] = {
    AUGMENT_P(0.5),
    {"min_area", 'f', 0.02, 1e-4, 1, NULL, "smallest share of the picture"},
    {"max_area", 'f', 1. / 3, 1e-4, 1, NULL, "largest share of the picture"},
    {"min_ratio", 'f', 0.3, 1e-2, 1e2, NULL, "smallest height / width"},
    {"max_ratio", 'f', 10. / 3, 1e-2, 1e2, NULL, "largest height / width"},
    {"fill", 'c', BLACK, 0, 0, fills, "what is painted"},
    {0}};

const struct augment_op augment_random_erasing = {
    "random_erasing", "paint over a random rectangle", erasing_arg,
    apply_erasing};

/* ---- cutout: DeVries and Taylor, arXiv 1708.04552 ---- */

enum { C_P, C_LENGTH, C_FILL };

static int clip(int v, int high)
{
    return v < 0 ? 0 : v > high ? high : v;
}

/* The middle of the square lies anywhere in the picture, so that its edge may
 * fall outside.  */
static int apply_cutout(struct image *im, const double *v, const int size[2],
                        const struct rng *r, int *fired, struct err *e)
{
    const struct rng noise = rng_sub(r, 0);
    const int n = (int)v[C_LENGTH];
    const int x = (int)rng_below(r, 1, (uint64_t)im->w) - n / 2;
    const int y = (int)rng_below(r, 2, (uint64_t)im->h) - n / 2;
    const int x0 = clip(x, im->w), x1 = clip(x + n, im->w);
    const int y0 = clip(y, im->h), y1 = clip(y + n, im->h);

    (void)size;
    (void)e;
    *fired = augment_coin(r, 0, v[C_P]) && x1 > x0 && y1 > y0;
    if (*fired)
        paint(im, x0, y0, x1 - x0, y1 - y0, (enum fill)(int)v[C_FILL], &noise);
    return 0;
}

static const struct augment_arg cutout_arg[] = {
    AUGMENT_P(1),
    {"length", 'i', 16, 1, 65535, NULL, "pixels of the square's side"},
    {"fill", 'c', BLACK, 0, 0, fills, "what is painted"},
    {0}};

const struct augment_op augment_cutout = {
    "cutout", "paint over a square around a random point", cutout_arg,
    apply_cutout};
