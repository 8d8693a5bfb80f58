/* augment_crop.c -- operators that choose a part of the picture.
 * SPDX-License-Identifier: MIT
 *
 * Ranges and roundings are torchvision's, so that published settings mean the
 * same here.  */
#include <math.h>

#include "data/augment_ops.h"
#include "image/geometry.h"
#include "image/resize.h"

static const uint8_t black[3];

/* ---- pad_crop, random_crop ---- */

/* Where a crop of WANT pixels begins in a side of HAVE with PAD on both ends;
 * a side that is still too short is laid anywhere inside.  */
static int offset(const struct rng *r, uint64_t i, int have, int pad, int want)
{
    const int a = -pad, b = have + pad - want;
    const int low = a < b ? a : b, high = a < b ? b : a;

    return low + (int)rng_below(r, i, (uint64_t)(high - low + 1));
}

/* The part of IM from (X, Y); what lies outside is made by MODE.  */
static int crop_padded(struct image *im, int x, int y, int w, int h,
                       enum pad_mode mode, struct err *e)
{
    struct image wide, to;
    const int left = x < 0 ? -x : 0, top = y < 0 ? -y : 0;
    const int right = x + w > im->w ? x + w - im->w : 0;
    const int bottom = y + h > im->h ? y + h - im->h : 0;
    int r;

    if (mode == PAD_CONSTANT || !(left | top | right | bottom)) {
        if (geometry_crop(&to, im, x, y, w, h, black, e) < 0)
            return -1;
        augment_replace(im, &to);
        return 0;
    }
    if (geometry_pad(&wide, im, left, top, right, bottom, mode, black, e) < 0)
        return -1;
    r = geometry_crop(&to, &wide, x + left, y + top, w, h, black, e);
    image_release(&wide);
    if (r == 0)
        augment_replace(im, &to);
    return r;
}

static int apply_crop(struct image *im, const double *v, const int size[2],
                      const struct rng *r, int *fired, struct err *e)
{
    const int x = offset(r, 0, im->w, (int)v[0], size[1]);
    const int y = offset(r, 1, im->h, (int)v[0], size[0]);

    *fired = x || y || im->w != size[1] || im->h != size[0];
    return crop_padded(im, x, y, size[1], size[0], (enum pad_mode)(int)v[1], e);
}

static const struct augment_arg pad_crop_arg[] = {
    {"pad", 'i', 4, 0, 1024, NULL, "pixels added on every side before"},
    {"mode", 'c', PAD_CONSTANT, 0, 0, pad_names, "what they hold"},
    {0}};

const struct augment_op augment_pad_crop = {
    "pad_crop", "pad, then cut the network's size at a random place",
    pad_crop_arg, apply_crop};

static const struct augment_arg random_crop_arg[] = {
    {"pad", 'i', 0, 0, 1024, NULL, "pixels added on every side before"},
    {"mode", 'c', PAD_CONSTANT, 0, 0, pad_names, "what they hold"},
    {0}};

const struct augment_op augment_random_crop = {
    "random_crop", "cut the network's size at a random place", random_crop_arg,
    apply_crop};

/* ---- random_resized_crop ---- */

enum { MIN_SCALE, MAX_SCALE, MIN_RATIO, MAX_RATIO, KERNEL, TRIES = 10 };

struct part {
    int x, y, w, h;
};

/* One attempt, with numbers 4 T .. 4 T + 3: 1 if it lies inside.  */
static int try_part(struct part *p, const struct image *im, const double *v,
                    const struct rng *r, uint64_t t)
{
    const double area = (double)im->w * im->h *
                        augment_between(r, 4 * t, v[MIN_SCALE], v[MAX_SCALE]);
    const double ratio = exp(
        augment_between(r, 4 * t + 1, log(v[MIN_RATIO]), log(v[MAX_RATIO])));
    const double w = rint(sqrt(area * ratio)), h = rint(sqrt(area / ratio));

    if (w < 1 || h < 1 || w > im->w || h > im->h)
        return 0;
    p->w = (int)w;
    p->h = (int)h;
    p->x = (int)rng_below(r, 4 * t + 2, (uint64_t)(im->w - p->w) + 1);
    p->y = (int)rng_below(r, 4 * t + 3, (uint64_t)(im->h - p->h) + 1);
    return 1;
}

/* The largest part in the middle whose ratio is allowed.  */
static struct part middle_part(const struct image *im, const double *v)
{
    const double ratio = (double)im->w / im->h;
    struct part p = {0, 0, im->w, im->h};

    if (ratio < v[MIN_RATIO])
        p.h = (int)rint(im->w / v[MIN_RATIO]);
    else if (ratio > v[MAX_RATIO])
        p.w = (int)rint(im->h * v[MAX_RATIO]);
    p.w = p.w < 1 ? 1 : p.w > im->w ? im->w : p.w;
    p.h = p.h < 1 ? 1 : p.h > im->h ? im->h : p.h;
    p.x = (im->w - p.w) / 2;
    p.y = (im->h - p.h) / 2;
    return p;
}

static int apply_resized(struct image *im, const double *v, const int size[2],
                         const struct rng *r, int *fired, struct err *e)
{
    struct part p;
    struct image cut, to;
    uint64_t t = 0;
    int rc;

    while (t < TRIES && !try_part(&p, im, v, r, t))
        t++;
    if (t == TRIES)
        p = middle_part(im, v);
    *fired =
        p.w != im->w || p.h != im->h || size[1] != im->w || size[0] != im->h;
    /* cut first: a filter over the whole picture would see outside */
    if (geometry_crop(&cut, im, p.x, p.y, p.w, p.h, black, e) < 0)
        return -1;
    rc = resize(&to, &cut, size[1], size[0], (enum resize_kernel)(int)v[KERNEL],
                e);
    image_release(&cut);
    if (rc == 0)
        augment_replace(im, &to);
    return rc;
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
    resized_arg, apply_resized};

/* ---- resize, center_crop ---- */

static int apply_resize(struct image *im, const double *v, const int size[2],
                        const struct rng *r, int *fired, struct err *e)
{
    int w = size[1], h = size[0];
    struct image to;

    (void)r;
    if (v[0] > 0)
        resize_short_size(im->w, im->h, (int)v[0], &w, &h);
    *fired = w != im->w || h != im->h;
    if (!*fired)
        return 0;
    if (resize(&to, im, w, h, (enum resize_kernel)(int)v[1], e) < 0)
        return -1;
    augment_replace(im, &to);
    return 0;
}

static const struct augment_arg resize_arg[] = {
    {"short", 'i', 0, 0, 65535, NULL,
     "pixels of the shorter side; 0: the network's size exactly"},
    {"interpolation", 'c', RESIZE_BILINEAR, 0, 0, resize_names, "filter"},
    {0}};

const struct augment_op augment_resize = {
    "resize", "make it another size, always", resize_arg, apply_resize};

static int apply_center(struct image *im, const double *v, const int size[2],
                        const struct rng *r, int *fired, struct err *e)
{
    struct image to;

    (void)v;
    (void)r;
    *fired = im->w != size[1] || im->h != size[0];
    if (!*fired)
        return 0;
    if (geometry_center_crop(&to, im, size[1], size[0], e) < 0)
        return -1;
    augment_replace(im, &to);
    return 0;
}

static const struct augment_arg no_arg[] = {{0}};

const struct augment_op augment_center_crop = {
    "center_crop", "cut the network's size from the middle, always", no_arg,
    apply_center};
