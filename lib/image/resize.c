/* resize.c -- see resize.h.
 * SPDX-License-Identifier: MIT
 *
 * The arithmetic follows Pillow's Resample.c operation by operation: the box
 * in float, the weights in double, rounded to 22 fractional bits, sums in
 * 32-bit integers that start at one half.  */
#include "image/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpuinfo.h"
#include "base/err.h"
#include "base/mem.h"
#include "image/geometry.h"
#include "image/resize_taps.h"

const char *const resize_names[] = {"nearest", "bilinear", "bicubic", "box",
                                    NULL};

/* ---- kernels ---- */

static double weight_box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double weight_bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* Keys 1981, a = -0.5.  */
static double weight_bicubic(double x)
{
    const double a = -0.5;

    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static const struct kernel {
    double (*weight)(double x);
    double support;
} kernels[] = {[RESIZE_BILINEAR] = {weight_bilinear, 1},
               [RESIZE_BICUBIC] = {weight_bicubic, 2},
               [RESIZE_BOX] = {weight_box, 0.5}};

/* ---- weights along one side ---- */

enum { BITS = TAPS_BITS, HALF = TAPS_HALF };

void resize_taps_release(struct taps *t)
{
    free(t->first);
    free(t->count);
    free(t->weight);
    free(t->low);
}

static int32_t rounded(double w)
{
    return (int32_t)(w * (1 << BITS) + (w < 0 ? -0.5 : 0.5));
}

static void set_weight(struct taps *t, size_t i, int32_t weight)
{
    t->weight[i] = weight;
    t->low[i] = (int16_t)(weight & ((1 << TAPS_LOW) - 1));
    t->high[i] = (int16_t)(weight >> TAPS_LOW);
}

/* The weights of one output whose middle is at CENTER.  */
static void taps_of(struct taps *t, int i, int in, double center,
                    double support, double scale, const struct kernel *k,
                    double *w)
{
    const size_t at = (size_t)i * (size_t)t->most;
    int from = (int)(center - support + 0.5),
        till = (int)(center + support + 0.5);
    double sum = 0;

    from = from < 0 ? 0 : from;
    till = till > in ? in : till;
    t->first[i] = from;
    t->count[i] = till - from;
    for (int x = from; x < till; x++) {
        w[x - from] = k->weight((x - center + 0.5) * scale);
        sum += w[x - from];
    }
    for (int x = 0; x < till - from; x++)
        set_weight(t, at + (size_t)x, rounded(sum != 0 ? w[x] / sum : w[x]));
}

/* The part [FROM, TILL) of IN pixels becomes OUT pixels.  */
static struct taps taps_new(int in, float from, float till, int out,
                            const struct kernel *k)
{
    const double step = (double)(till - from) / out, wide = step < 1 ? 1 : step,
                 support = k->support * wide;
    struct taps t = {.most = ((int)ceil(support) * 2 + 1 + 3) / 4 * 4};
    const size_t n = mem_mul((size_t)out, (size_t)t.most);
    double *w = xmalloc((size_t)t.most * sizeof *w);

    t.first = xcalloc((size_t)out, sizeof *t.first);
    t.count = xcalloc((size_t)out, sizeof *t.count);
    t.weight = xcalloc(n, sizeof *t.weight);
    t.low = xcalloc(n, 2 * sizeof *t.low);
    t.high = t.low + n;
    for (int i = 0; i < out; i++)
        taps_of(&t, i, in, from + (i + 0.5) * step, support, 1 / wide, k, w);
    free(w);
    return t;
}

/* ---- the two passes ---- */

static uint8_t clip(int32_t sum)
{
    sum >>= BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* Outputs FROM .. of one row.  */
static void across_row(uint8_t *to, const uint8_t *row, int from, int w,
                       const struct taps *t)
{
    to += 3 * (size_t)from;
    for (int x = from; x < w; x++, to += 3) {
        const uint8_t *p = row + 3 * (size_t)t->first[x];
        const int32_t *k = t->weight + (size_t)x * (size_t)t->most;
        int32_t r = HALF, g = HALF, b = HALF;

        for (int i = 0; i < t->count[x]; i++, p += 3) {
            r += p[0] * k[i];
            g += p[1] * k[i];
            b += p[2] * k[i];
        }
        to[0] = clip(r);
        to[1] = clip(g);
        to[2] = clip(b);
    }
}

/* Bytes FROM .. N of output row Y.  A strip at a time, so that the sums stay
 * close.  */
static void down_row(uint8_t *to, const uint8_t *rows, size_t stride,
                     size_t from, size_t n, const struct taps *t, int y)
{
    enum { STRIP = 256 };
    const int32_t *k = t->weight + (size_t)y * (size_t)t->most;
    int32_t sum[STRIP];

    for (size_t x = from; x < n; x += STRIP) {
        const size_t m = n - x < STRIP ? n - x : STRIP;

#pragma omp simd
        for (size_t i = 0; i < m; i++)
            sum[i] = HALF;
        for (int r = 0; r < t->count[y]; r++) {
            const uint8_t *p = rows + (size_t)r * stride + x;
            const int32_t weight = k[r];

#pragma omp simd
            for (size_t i = 0; i < m; i++)
                sum[i] += p[i] * weight;
        }
#pragma omp simd
        for (size_t i = 0; i < m; i++)
            to[x + i] = clip(sum[i]);
    }
}

static const struct resize_fast *fast_way(void)
{
#if defined(__x86_64__)
    if (cpu_features() & CPU_AVX2)
        return &resize_avx2;
#endif
    return NULL;
}

/* Columns to the width of T, row by row: as many rows as TO has, from row
 * FIRST of IM.  */
static void across(struct image *to, const struct image *im, int first,
                   const struct taps *t)
{
    const struct resize_fast *fast = fast_way();
    const size_t stride = (size_t)im->w * 3, to_stride = (size_t)to->w * 3;

    for (int y = 0; y < to->h; y += RESIZE_ROWS) {
        const int rows = to->h - y < RESIZE_ROWS ? to->h - y : RESIZE_ROWS;
        uint8_t *d = to->rgb + (size_t)y * to_stride;
        const uint8_t *s = im->rgb + (size_t)(first + y) * stride;
        int done = 0;

        if (fast && rows == RESIZE_ROWS)
            done = fast->across(d, to_stride, s, stride, to->w,
                                im->h - first - y - rows, t);
        for (int i = 0; i < rows; i++)
            across_row(d + (size_t)i * to_stride, s + (size_t)i * stride, done,
                       to->w, t);
    }
}

/* Rows to the height of T; row 0 of IM is row FIRST of what T counts.  */
static void down(struct image *to, const struct image *im, int first,
                 const struct taps *t)
{
    const struct resize_fast *fast = fast_way();
    const size_t n = (size_t)im->w * 3;

    for (int y = 0; y < to->h; y++) {
        uint8_t *d = to->rgb + (size_t)y * n;
        const uint8_t *s = im->rgb + (size_t)(t->first[y] - first) * n;
        const size_t done = fast ? fast->down(d, s, n, t, y) : 0;

        down_row(d, s, n, done, n, t, y);
    }
}

static int across_then_down(struct image *to, const struct image *im,
                            const struct taps *tx, int w, const struct taps *ty,
                            int h, struct err *e)
{
    const int first = ty->first[0],
              rows = ty->first[h - 1] + ty->count[h - 1] - first;
    struct image mid;
    int r;

    if (image_new(&mid, w, rows, e) < 0)
        return -1;
    across(&mid, im, first, tx);
    r = image_new(to, w, h, e);
    if (!r)
        down(to, &mid, first, ty);
    image_release(&mid);
    return r;
}

static int down_then_across(struct image *to, const struct image *im,
                            const struct taps *tx, int w, const struct taps *ty,
                            int h, struct err *e)
{
    struct image mid;
    int r;

    if (image_new(&mid, im->w, h, e) < 0)
        return -1;
    down(&mid, im, 0, ty);
    r = image_new(to, w, h, e);
    if (!r)
        across(to, &mid, 0, tx);
    image_release(&mid);
    return r;
}

/* Which pass comes first decides how the result is rounded: the rule, with the
 * sizes of the whole picture, is that of Pillow 13.  */
static int goes_down_first(int in_w, int in_h, int w, int h)
{
    return in_h > h && in_h - h > 2 * (in_w - w);
}

/* A pass over a side that keeps its size and box is left out; at least one
 * is needed, else it was a crop.  */
static int resample(struct image *to, const struct image *im,
                    const float box[4], int w, int h, const struct kernel *k,
                    struct err *e)
{
    const int keep_w = w == im->w && box[0] == 0 && box[2] == (float)w,
              keep_h = h == im->h && box[1] == 0 && box[3] == (float)h;
    struct taps tx = taps_new(im->w, box[0], box[2], w, k),
                ty = taps_new(im->h, box[1], box[3], h, k);
    int r;

    if (keep_w || keep_h) {
        r = image_new(to, w, h, e);
        if (!r && keep_w)
            down(to, im, 0, &ty);
        else if (!r)
            across(to, im, 0, &tx);
    } else if (goes_down_first(im->w, im->h, w, h)) {
        r = down_then_across(to, im, &tx, w, &ty, h, e);
    } else {
        r = across_then_down(to, im, &tx, w, &ty, h, e);
    }
    resize_taps_release(&tx);
    resize_taps_release(&ty);
    return r;
}

/* ---- nearest ---- */

/* The input of each of the N outputs, -1 for none: the position is a running
 * sum, whose rounding is part of the result.  */
static void positions(int *to, int n, int in, float from, float till)
{
    const double step = (double)(till - from) / n;
    double at = from + step * 0.5;

    for (int i = 0; i < n; i++, at += step)
        to[i] = at >= 0 && at < in ? (int)at : -1;
}

static int nearest(struct image *to, const struct image *im, const float box[4],
                   int w, int h, struct err *e)
{
    int *px, *py;

    if (image_new(to, w, h, e) < 0)
        return -1;
    px = xmalloc(((size_t)w + (size_t)h) * sizeof *px);
    py = px + w;
    positions(px, w, im->w, box[0], box[2]);
    positions(py, h, im->h, box[1], box[3]);
    for (int y = 0; y < h; y++) {
        uint8_t *d = to->rgb + (size_t)y * (size_t)w * 3;
        const uint8_t *s =
            im->rgb + (size_t)(py[y] < 0 ? 0 : py[y]) * (size_t)im->w * 3;

        for (int x = 0; x < w; x++, d += 3)
            if (px[x] < 0 || py[y] < 0)
                memset(d, 0, 3);
            else
                memcpy(d, s + 3 * (size_t)px[x], 3);
    }
    free(px);
    return 0;
}

/* ---- doors ---- */

static void edges(float box[4], const struct box *b)
{
    box[0] = (float)b->x;
    box[1] = (float)b->y;
    box[2] = (float)(b->x + b->w);
    box[3] = (float)(b->y + b->h);
}

static int is_crop(const float box[4], int w, int h)
{
    return box[0] == floorf(box[0]) && box[1] == floorf(box[1]) &&
           box[2] - box[0] == (float)w && box[3] - box[1] == (float)h;
}

int resize_box(struct image *to, const struct image *im, const struct box *b,
               int w, int h, enum resize_kernel k, struct err *e)
{
    static const uint8_t none[3];
    float box[4];

    edges(box, b);
    *to = (struct image){0};
    if (!(box[0] >= 0 && box[1] >= 0 && box[2] <= (float)im->w &&
          box[3] <= (float)im->h && box[2] > box[0] && box[3] > box[1]))
        return err_set(e, ERR_SHAPE,
                       "box %g,%g %gx%g does not lie in %dx%d pixels", b->x,
                       b->y, b->w, b->h, im->w, im->h);
    if (w < 1 || h < 1 || w > IMAGE_SIDE || h > IMAGE_SIDE)
        return err_set(e, ERR_SHAPE, "cannot resize to %dx%d pixels", w, h);
    if (is_crop(box, w, h))
        return geometry_crop(to, im, (int)box[0], (int)box[1], w, h, none, e);
    if (k == RESIZE_NEAREST)
        return nearest(to, im, box, w, h, e);
    return resample(to, im, box, w, h, &kernels[k], e);
}

int resize(struct image *to, const struct image *im, int w, int h,
           enum resize_kernel k, struct err *e)
{
    const struct box b = {0, 0, im->w, im->h};

    return resize_box(to, im, &b, w, h, k, e);
}

/* Each of N outputs is one pixel.  */
static struct taps taps_picking(int n)
{
    struct taps t = {.most = 1};

    t.first = xcalloc((size_t)n, sizeof *t.first);
    t.count = xcalloc((size_t)n, sizeof *t.count);
    t.weight = xcalloc((size_t)n, sizeof *t.weight);
    for (int i = 0; i < n; i++) {
        t.count[i] = 1;
        t.weight[i] = 1 << BITS;
    }
    return t;
}

static struct taps taps_nearest(int in, float from, float till, int out)
{
    struct taps t = taps_picking(out);

    positions(t.first, out, in, from, till);
    for (int i = 0; i < out; i++)
        if (t.first[i] < 0)
            t.first[i] = t.count[i] = 0;
    return t;
}

static struct taps taps_crop(float from, int out)
{
    struct taps t = taps_picking(out);

    for (int i = 0; i < out; i++)
        t.first[i] = (int)from + i;
    return t;
}

int resize_taps(struct taps t[2], int w, int h, const struct box *b, int to_w,
                int to_h, enum resize_kernel k)
{
    const int in[2] = {w, h}, out[2] = {to_w, to_h};
    float box[4];

    edges(box, b);
    for (int s = 0; s < 2; s++)
        if (is_crop(box, to_w, to_h))
            t[s] = taps_crop(box[s], out[s]);
        else if (k == RESIZE_NEAREST)
            t[s] = taps_nearest(in[s], box[s], box[s + 2], out[s]);
        else
            t[s] = taps_new(in[s], box[s], box[s + 2], out[s], &kernels[k]);
    return goes_down_first(w, h, to_w, to_h);
}

void resize_short_size(int w, int h, int s, int *nw, int *nh)
{
    const int lower = w <= h ? w : h, longer = w <= h ? h : w,
              other = (int)((double)s * longer / lower);

    *nw = w <= h ? s : other;
    *nh = w <= h ? other : s;
}
