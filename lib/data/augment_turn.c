/* augment_turn.c -- operators that flip and turn.
 * SPDX-License-Identifier: MIT  */
#include <math.h>

#include "data/augment_ops.h"
#include "image/geometry.h"

static const struct augment_arg flip_arg[] = {AUGMENT_P(0.5), {0}};

static void view_flip(struct augment_view *s, int w, int h, const double *v,
                      const int size[2], const struct rng *r)
{
    (void)w;
    (void)h;
    (void)size;
    s->mirror = augment_coin(r, 0, v[0]);
}

const struct augment_op augment_flip = {"flip", "left and right change places",
                                        flip_arg, .view = view_flip};

static int draw_flip_y(struct change *to, int w, int h, const double *v,
                       const struct rng *r)
{
    (void)w;
    (void)h;
    *to = (struct change){.kind = CHANGE_FLIP_Y};
    return augment_coin(r, 0, v[0]);
}

const struct augment_op augment_flip_y = {
    "flip_y", "top and bottom change places", flip_arg, .changes = draw_flip_y};

/* ---- rotate ---- */

/* Pillow's Image.rotate(DEGREES): counter-clockwise around the middle, the
 * size kept.  */
static int turn(struct image *im, double degrees, int bilinear, struct err *e)
{
    static const uint8_t black[3];
    const double a = -degrees * 0.017453292519943295;
    const double c = cos(a), s = sin(a), cx = im->w / 2.0, cy = im->h / 2.0;
    const double m[6] = {c,  s, cx - (c * cx + s * cy),
                         -s, c, cy - (-s * cx + c * cy)};
    struct image to;

    if (geometry_affine(&to, im, im->w, im->h, m, bilinear, black, e) < 0)
        return -1;
    augment_replace(im, &to);
    return 0;
}

enum { P, DEGREES, KERNEL };

static int apply_rotate(struct image *im, const double *v, const int size[2],
                        const struct rng *r, int *fired, struct err *e)
{
    (void)size;
    *fired = v[DEGREES] > 0 && augment_coin(r, 0, v[P]);
    if (!*fired)
        return 0;
    return turn(im, augment_between(r, 1, -v[DEGREES], v[DEGREES]),
                v[KERNEL] > 0, e);
}

static const char *const kernels[] = {"nearest", "bilinear", NULL};

static const struct augment_arg rotate_arg[] = {
    AUGMENT_P(1),
    {"degrees", 'f', 15, 0, 180, NULL, "at most, to either side"},
    {"interpolation", 'c', 0, 0, 0, kernels, "filter"},
    {0}};

const struct augment_op augment_rotate = {
    "rotate", "turn around the middle; corners become black", rotate_arg,
    apply_rotate};
