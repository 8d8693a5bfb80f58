/* geometry.c -- see geometry.h.
 * SPDX-License-Identifier: MIT  */
#include "image/geometry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

const char *const pad_names[] = {"constant", "edge", "reflect", NULL};

static uint8_t *at(const struct image *im, int x, int y)
{
    return im->rgb + ((size_t)y * (size_t)im->w + (size_t)x) * 3;
}

/* N pixels of one colour.  */
static void paint(uint8_t *to, int n, const uint8_t fill[3])
{
    for (int i = 0; i < n; i++, to += 3) {
        to[0] = fill[0];
        to[1] = fill[1];
        to[2] = fill[2];
    }
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

int geometry_crop(struct image *to, const struct image *im, int x, int y, int w,
                  int h, const uint8_t fill[3], struct err *e)
{
    /* the columns from..till of the result lie in the picture */
    const int from = (int)clamp(-(int64_t)x, 0, w),
              till = (int)clamp((int64_t)im->w - x, from, w);

    if (image_new(to, w, h, e) < 0)
        return -1;
    for (int i = 0; i < h; i++) {
        const int64_t row = (int64_t)y + i;
        uint8_t *d = at(to, 0, i);

        if (row < 0 || row >= im->h || from == till) {
            paint(d, w, fill);
            continue;
        }
        paint(d, from, fill);
        memcpy(d + 3 * (size_t)from, at(im, x + from, (int)row),
               3 * (size_t)(till - from));
        paint(d + 3 * (size_t)till, w - till, fill);
    }
    return 0;
}

/* A side that is too short is padded first, the smaller half before it.  */
int geometry_center(int side, int want)
{
    return want > side ? -((want - side) / 2) : (int)rint((side - want) / 2.0);
}

int geometry_center_crop(struct image *to, const struct image *im, int w, int h,
                         struct err *e)
{
    static const uint8_t black[3];

    return geometry_crop(to, im, geometry_center(im->w, w),
                         geometry_center(im->h, h), w, h, black, e);
}

static void swap(uint8_t *a, uint8_t *b)
{
    for (int c = 0; c < 3; c++) {
        const uint8_t t = a[c];

        a[c] = b[c];
        b[c] = t;
    }
}

void geometry_flip_x(struct image *im)
{
    for (int y = 0; y < im->h; y++)
        for (int x = 0; x < im->w / 2; x++)
            swap(at(im, x, y), at(im, im->w - 1 - x, y));
}

void geometry_flip_y(struct image *im)
{
    const size_t n = (size_t)im->w * 3;

    for (int y = 0; y < im->h / 2; y++) {
        uint8_t *a = at(im, 0, y), *b = at(im, 0, im->h - 1 - y);

        for (size_t i = 0; i < n; i++) {
            const uint8_t t = a[i];

            a[i] = b[i];
            b[i] = t;
        }
    }
}

int geometry_source(int64_t i, int n, enum pad_mode m)
{
    const int64_t period = 2 * ((int64_t)n - 1);

    if (m == PAD_CONSTANT)
        return i < 0 || i >= n ? -1 : (int)i;
    if (m == PAD_EDGE || n == 1)
        return (int)clamp(i, 0, n - 1);
    i %= period;
    i = i < 0 ? i + period : i;
    return (int)(i < n ? i : period - i);
}

int geometry_pad(struct image *to, const struct image *im, int left, int top,
                 int right, int bottom, enum pad_mode m, const uint8_t fill[3],
                 struct err *e)
{
    const int64_t w = (int64_t)im->w + left + right,
                  h = (int64_t)im->h + top + bottom;

    if (left < 0 || top < 0 || right < 0 || bottom < 0 || w > IMAGE_SIDE ||
        h > IMAGE_SIDE)
        return err_set(e, ERR_SHAPE,
                       "cannot pad %dx%d pixels by %d,%d,%d,%d: sides are 1 to "
                       "%d",
                       im->w, im->h, left, top, right, bottom, IMAGE_SIDE);
    if (m == PAD_CONSTANT)
        return geometry_crop(to, im, -left, -top, (int)w, (int)h, fill, e);
    if (image_new(to, (int)w, (int)h, e) < 0)
        return -1;
    for (int y = 0; y < to->h; y++) {
        const int sy = geometry_source((int64_t)y - top, im->h, m);

        for (int x = 0; x < to->w; x++)
            memcpy(at(to, x, y),
                   at(im, geometry_source((int64_t)x - left, im->w, m), sy), 3);
    }
    return 0;
}

int geometry_cut(struct image *to, const struct image *im, int x, int y, int w,
                 int h, enum pad_mode outside, struct err *e)
{
    static const uint8_t black[3];
    const int left = x < 0 ? -x : 0, top = y < 0 ? -y : 0;
    const int right = x + w > im->w ? x + w - im->w : 0;
    const int bottom = y + h > im->h ? y + h - im->h : 0;
    struct image wide;
    int r;

    if (outside == PAD_CONSTANT || !(left | top | right | bottom))
        return geometry_crop(to, im, x, y, w, h, black, e);
    if (geometry_pad(&wide, im, left, top, right, bottom, outside, black, e) <
        0)
        return -1;
    r = geometry_crop(to, &wide, x + left, y + top, w, h, black, e);
    image_release(&wide);
    return r;
}

/* The four orientations that change width and height: output (x, y) is input
 * row x or its mirror, column y or its mirror.  */
static int turn(struct image *im, int mirror_row, int mirror_column,
                struct err *e)
{
    struct image to;

    if (image_new(&to, im->h, im->w, e) < 0)
        return -1;
    for (int y = 0; y < to.h; y++) {
        const int column = mirror_column ? im->w - 1 - y : y;

        for (int x = 0; x < to.w; x++)
            memcpy(at(&to, x, y),
                   at(im, column, mirror_row ? im->h - 1 - x : x), 3);
    }
    image_release(im);
    *im = to;
    return 0;
}

int geometry_orient(struct image *im, int orientation, struct err *e)
{
    if (orientation >= 5 && orientation <= 8)
        return turn(im, orientation == 6 || orientation == 7,
                    orientation == 7 || orientation == 8, e);
    if (orientation == 2 || orientation == 3)
        geometry_flip_x(im);
    if (orientation == 3 || orientation == 4)
        geometry_flip_y(im);
    return 0;
}

void geometry_orient_box(struct box *b, int w, int h, int orientation, int back)
{
    const int o = back && (orientation == 6 || orientation == 8)
                      ? 14 - orientation
                      : orientation;
    const double right = w - b->x - b->w, under = h - b->y - b->h;

    if (o >= 5 && o <= 8) {
        *b = (struct box){o == 6 || o == 7 ? under : b->y,
                          o == 7 || o == 8 ? right : b->x, b->h, b->w};
        return;
    }
    b->x = o == 2 || o == 3 ? right : b->x;
    b->y = o == 3 || o == 4 ? under : b->y;
}

/* ---- affine, step by step as in Pillow's Geometry.c ---- */

static int fits_fixed(const double m[6], double x, double y)
{
    return fabs(x * m[0] + y * m[1] + m[2]) < 32768 &&
           fabs(x * m[3] + y * m[4] + m[5]) < 32768;
}

static int64_t to_fixed(double v)
{
    return (int64_t)floor(v * 65536 + 0.5);
}

/* 16.16 fixed point, in 64 bits: the factor along a side of one pixel may be
 * large.  */
static void nearest_fixed(struct image *to, const struct image *im,
                          const double m[6])
{
    const int64_t dx = to_fixed(m[0]), dy = to_fixed(m[3]);
    int64_t x0 = to_fixed(m[2] + m[0] * 0.5 + m[1] * 0.5),
            y0 = to_fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);

    for (int y = 0; y < to->h; y++) {
        for (int x = 0; x < to->w; x++) {
            const int64_t sx = (x0 + x * dx) >> 16, sy = (y0 + x * dy) >> 16;

            if (sx >= 0 && sx < im->w && sy >= 0 && sy < im->h)
                memcpy(at(to, x, y), at(im, (int)sx, (int)sy), 3);
        }
        x0 += to_fixed(m[1]);
        y0 += to_fixed(m[4]);
    }
}

static int inside(double v, int side)
{
    return v >= 0 && v < side;
}

/* Straight and far ones, with the running sums in double as Pillow keeps
 * them.  */
static void nearest_double(struct image *to, const struct image *im,
                           const double m[6])
{
    double x0 = m[2] + m[0] * 0.5 + m[1] * 0.5,
           y0 = m[5] + m[3] * 0.5 + m[4] * 0.5;

    for (int y = 0; y < to->h; y++) {
        double sx = x0, sy = y0;

        for (int x = 0; x < to->w; x++) {
            if (inside(sx, im->w) && inside(sy, im->h))
                memcpy(at(to, x, y), at(im, (int)sx, (int)sy), 3);
            sx += m[0];
            sy += m[3];
        }
        x0 += m[1];
        y0 += m[4];
    }
}

static double between(double a, double b, double d)
{
    return a + (b - a) * d;
}

static void bilinear_pixel(uint8_t *to, const struct image *im, double x,
                           double y)
{
    const double fx = floor(x - 0.5), fy = floor(y - 0.5), dx = x - 0.5 - fx,
                 dy = y - 0.5 - fy;
    const int x0 = (int)clamp((int64_t)fx, 0, im->w - 1),
              x1 = (int)clamp((int64_t)fx + 1, 0, im->w - 1),
              y0 = (int)clamp((int64_t)fy, 0, im->h - 1),
              y1 = (int)clamp((int64_t)fy + 1, 0, im->h - 1);

    for (int c = 0; c < 3; c++) {
        const double a = between(at(im, x0, y0)[c], at(im, x1, y0)[c], dx),
                     b = between(at(im, x0, y1)[c], at(im, x1, y1)[c], dx);

        to[c] = (uint8_t)between(a, b, dy);
    }
}

static void bilinear_all(struct image *to, const struct image *im,
                         const double m[6])
{
    for (int y = 0; y < to->h; y++)
        for (int x = 0; x < to->w; x++) {
            const double sx = m[0] * (x + 0.5) + m[1] * (y + 0.5) + m[2],
                         sy = m[3] * (x + 0.5) + m[4] * (y + 0.5) + m[5];

            if (inside(sx, im->w) && inside(sy, im->h))
                bilinear_pixel(at(to, x, y), im, sx, sy);
        }
}

int geometry_affine(struct image *to, const struct image *im, int w, int h,
                    const double m[6], int bilinear, const uint8_t fill[3],
                    struct err *e)
{
    const int straight = m[1] == 0 && m[3] == 0,
              fixed = fits_fixed(m, 0, 0) && fits_fixed(m, w, h) &&
                      fits_fixed(m, 0, h) && fits_fixed(m, w, 0);

    for (int i = 0; i < 6; i++)
        if (!isfinite(m[i]))
            return err_set(e, ERR_NONFINITE,
                           "an affine map with a number that is not finite");
    if (image_new(to, w, h, e) < 0)
        return -1;
    for (int y = 0; y < h; y++)
        paint(at(to, 0, y), w, fill);
    if (bilinear)
        bilinear_all(to, im, m);
    else if (!straight && fixed)
        nearest_fixed(to, im, m);
    else
        nearest_double(to, im, m);
    return 0;
}
