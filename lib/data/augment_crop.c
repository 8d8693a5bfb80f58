/* augment_crop.c -- operators that choose a part of the picture.
 * SPDX-License-Identifier: MIT
 *
 * Ranges and roundings are torchvision's, so that published settings mean the
 * same here.  */
#include <math.h>

#include "data/augment_ops.h"
#include "image/geometry.h"
#include "image/resize.h"

/* ---- pad_crop, random_crop ---- */

/* Where a crop of WANT pixels begins in a side of HAVE with PAD on both ends;
 * a side that is still too short is laid anywhere inside.  */
static int offset(const struct rng *r, uint64_t i, int have, int pad, int want)
{
    const int a = -pad, b = have + pad - want;
    const int low = a < b ? a : b, high = a < b ? b : a;

    return low + (int)rng_below(r, i, (uint64_t)(high - low + 1));
}

static void view_crop(struct augment_view *s, int w, int h, const double *v,
                      const int size[2], const struct rng *r)
{
    s->x = offset(r, 0, w, (int)v[0], size[1]);
    s->y = offset(r, 1, h, (int)v[0], size[0]);
    s->w = s->to_w = size[1];
    s->h = s->to_h = size[0];
    s->edge = (enum pad_mode)(int)v[1];
}

static const struct augment_arg pad_crop_arg[] = {
    {"pad", 'i', 4, 0, 1024, NULL, "pixels added on every side before"},
    {"mode", 'c', PAD_CONSTANT, 0, 0, pad_names, "what they hold"},
    {0}};

const struct augment_op augment_pad_crop = {
    "pad_crop", "pad, then cut the network's size at a random place",
    pad_crop_arg, .view = view_crop};

static const struct augment_arg random_crop_arg[] = {
    {"pad", 'i', 0, 0, 1024, NULL, "pixels added on every side before"},
    {"mode", 'c', PAD_CONSTANT, 0, 0, pad_names, "what they hold"},
    {0}};

const struct augment_op augment_random_crop = {
    "random_crop", "cut the network's size at a random place", random_crop_arg,
    .view = view_crop};

/* ---- random_resized_crop ---- */

enum { MIN_SCALE, MAX_SCALE, MIN_RATIO, MAX_RATIO, KERNEL, TRIES = 10 };

/* One attempt, with numbers 4 T .. 4 T + 3: 1 if it lies inside.  */
static int try_part(struct augment_view *s, int in_w, int in_h, const double *v,
                    const struct rng *r, uint64_t t)
{
    const double area = (double)in_w * in_h *
                        augment_between(r, 4 * t, v[MIN_SCALE], v[MAX_SCALE]);
    const double ratio = exp(
        augment_between(r, 4 * t + 1, log(v[MIN_RATIO]), log(v[MAX_RATIO])));
    const double w = rint(sqrt(area * ratio)), h = rint(sqrt(area / ratio));

    if (w < 1 || h < 1 || w > in_w || h > in_h)
        return 0;
    s->w = (int)w;
    s->h = (int)h;
    s->x = (int)rng_below(r, 4 * t + 2, (uint64_t)(in_w - s->w) + 1);
    s->y = (int)rng_below(r, 4 * t + 3, (uint64_t)(in_h - s->h) + 1);
    return 1;
}

/* The largest part in the middle whose ratio is allowed.  */
static void middle_part(struct augment_view *s, int w, int h, const double *v)
{
    const double ratio = (double)w / h;

    if (ratio < v[MIN_RATIO])
        s->h = (int)rint(w / v[MIN_RATIO]);
    else if (ratio > v[MAX_RATIO])
        s->w = (int)rint(h * v[MAX_RATIO]);
    s->w = s->w < 1 ? 1 : s->w > w ? w : s->w;
    s->h = s->h < 1 ? 1 : s->h > h ? h : s->h;
    s->x = (w - s->w) / 2;
    s->y = (h - s->h) / 2;
}

static void view_resized(struct augment_view *s, int w, int h, const double *v,
                         const int size[2], const struct rng *r)
{
    uint64_t t = 0;

    while (t < TRIES && !try_part(s, w, h, v, r, t))
        t++;
    if (t == TRIES)
        middle_part(s, w, h, v);
    s->to_w = size[1];
    s->to_h = size[0];
    s->kernel = (enum resize_kernel)(int)v[KERNEL];
}

static const struct augment_arg resized_arg[] = {
    {"min_scale", 'f', 0.08, 1e-4, 1, NULL, "smallest share of the area"},
    {"max_scale", 'f', 1, 1e-4, 1, NULL, "largest share of the area"},
    {"min_ratio", 'f', 3. / 4, 1e-2, 1e2, NULL, "smallest width / height"},
    {"max_ratio", 'f', 4. / 3, 1e-2, 1e2, NULL, "largest width / height"},
    {"interpolation", 'c', RESIZE_BILINEAR, 0, 0, resize_names, "filter"},
    {0}};

const struct augment_op augment_random_resized_crop = {
    "random_resized_crop",
    "cut a random part, its ratio drawn evenly in the logarithm, and resize it "
    "to the network's size",
    resized_arg, .view = view_resized};

/* ---- resize, center_crop ---- */

static void view_resize(struct augment_view *s, int w, int h, const double *v,
                        const int size[2], const struct rng *r)
{
    (void)r;
    s->to_w = size[1];
    s->to_h = size[0];
    if (v[0] > 0)
        resize_short_size(w, h, (int)v[0], &s->to_w, &s->to_h);
    s->kernel = (enum resize_kernel)(int)v[1];
}

static const struct augment_arg resize_arg[] = {
    {"short", 'i', 0, 0, 65535, NULL,
     "pixels of the shorter side; 0: the network's size exactly"},
    {"interpolation", 'c', RESIZE_BILINEAR, 0, 0, resize_names, "filter"},
    {0}};

const struct augment_op augment_resize = {
    "resize", "make it another size, always", resize_arg, .view = view_resize};

static void view_center(struct augment_view *s, int w, int h, const double *v,
                        const int size[2], const struct rng *r)
{
    (void)v;
    (void)r;
    s->x = geometry_center(w, size[1]);
    s->y = geometry_center(h, size[0]);
    s->w = s->to_w = size[1];
    s->h = s->to_h = size[0];
}

static const struct augment_arg no_arg[] = {{0}};

const struct augment_op augment_center_crop = {
    "center_crop", "cut the network's size from the middle, always", no_arg,
    .view = view_center};
