/* colour.c -- see colour.h.
 * SPDX-License-Identifier: MIT
 *
 * Each function follows the arithmetic of Pillow or torchvision to the
 * operation and the number type, which is what makes the bits equal.  */
#include "image/colour.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

static size_t pixels(const struct image *im)
{
    return (size_t)im->w * (size_t)im->h;
}

/* ITU-R 601 luma in 16 bits.  */
static uint8_t luma(const uint8_t *p)
{
    return (uint8_t)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000) >>
                     16);
}

/* From A towards B, or beyond: float, cut off towards zero.  */
static uint8_t blend(int a, int b, float f)
{
    float v = (float)a + f * (float)(b - a);

    v = v < 0 ? 0 : v;
    return (uint8_t)(int)(v > 255 ? 255 : v);
}

/* ---- the same table for all pixels ---- */

static void look_up(struct image *im, uint8_t table[3][256])
{
    const size_t n = pixels(im);
    uint8_t *p = im->rgb;

    for (size_t i = 0; i < n; i++, p += 3) {
        p[0] = table[0][p[0]];
        p[1] = table[1][p[1]];
        p[2] = table[2][p[2]];
    }
}

static void look_up_one(struct image *im, const uint8_t table[256])
{
    const size_t n = pixels(im) * 3;

    for (size_t i = 0; i < n; i++)
        im->rgb[i] = table[im->rgb[i]];
}

static void blend_with(struct image *im, int grey, double factor)
{
    uint8_t table[256];

    for (int v = 0; v < 256; v++)
        table[v] = blend(grey, v, (float)factor);
    look_up_one(im, table);
}

void colour_brightness(struct image *im, double factor)
{
    blend_with(im, 0, factor);
}

void colour_contrast(struct image *im, double factor)
{
    const size_t n = pixels(im);
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += luma(im->rgb + 3 * i);
    blend_with(im, (int)((double)sum / (double)n + 0.5), factor);
}

void colour_saturation(struct image *im, double factor)
{
    const float f = (float)factor;
    const size_t n = pixels(im);

    for (size_t i = 0; i < n; i++) {
        uint8_t *p = im->rgb + 3 * i;
        const uint8_t grey = luma(p);

        for (int c = 0; c < 3; c++)
            p[c] = blend(grey, p[c], f);
    }
}

void colour_grey(struct image *im)
{
    const size_t n = pixels(im);

    for (size_t i = 0; i < n; i++)
        memset(im->rgb + 3 * i, luma(im->rgb + 3 * i), 3);
}

void colour_invert(struct image *im)
{
    const size_t n = pixels(im) * 3;

    for (size_t i = 0; i < n; i++)
        im->rgb[i] = (uint8_t)(255 - im->rgb[i]);
}

void colour_posterize(struct image *im, int bits)
{
    const size_t n = pixels(im) * 3;
    const uint8_t mask = (uint8_t)(0xff00 >> bits);

    for (size_t i = 0; i < n; i++)
        im->rgb[i] &= mask;
}

void colour_solarize(struct image *im, int threshold)
{
    const size_t n = pixels(im) * 3;

    for (size_t i = 0; i < n; i++)
        if (im->rgb[i] >= threshold)
            im->rgb[i] = (uint8_t)(255 - im->rgb[i]);
}

/* ---- by the histogram of each channel ---- */

static void count(const struct image *im, int channel, uint32_t h[256])
{
    const size_t n = pixels(im);

    memset(h, 0, 256 * sizeof *h);
    for (size_t i = 0; i < n; i++)
        h[im->rgb[3 * i + (size_t)channel]]++;
}

static void identity(uint8_t table[256])
{
    for (int v = 0; v < 256; v++)
        table[v] = (uint8_t)v;
}

static uint8_t clip_double(double v)
{
    return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)v;
}

static void stretch(uint8_t table[256], const uint32_t h[256])
{
    int low = 0, high = 255;
    double scale;

    while (low < 255 && !h[low])
        low++;
    while (high > 0 && !h[high])
        high--;
    if (high <= low) {
        identity(table);
        return;
    }
    scale = 255.0 / (high - low);
    for (int v = 0; v < 256; v++)
        table[v] = clip_double(v * scale + -low * scale);
}

static void flatten(uint8_t table[256], const uint32_t h[256])
{
    uint64_t sum = 0, step, n;
    uint32_t last = 0;

    for (int v = 0; v < 256; v++) {
        sum += h[v];
        last = h[v] ? h[v] : last;
    }
    step = (sum - last) / 255;
    if (!step) { /* so too where there is one value only */
        identity(table);
        return;
    }
    n = step / 2;
    for (int v = 0; v < 256; v++) {
        table[v] = (uint8_t)(n / step > 255 ? 255 : n / step);
        n += h[v];
    }
}

static void by_histogram(struct image *im,
                         void (*make)(uint8_t *, const uint32_t *))
{
    uint8_t table[3][256];
    uint32_t h[256];

    for (int c = 0; c < 3; c++) {
        count(im, c, h);
        make(table[c], h);
    }
    look_up(im, table);
}

void colour_autocontrast(struct image *im)
{
    by_histogram(im, stretch);
}

void colour_equalize(struct image *im)
{
    by_histogram(im, flatten);
}

/* ---- hue, by Pillow's HSV of 8 bits ---- */

static uint8_t clip_int(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void to_hsv(uint8_t hsv[3], const uint8_t *p)
{
    const uint8_t r = p[0], g = p[1], b = p[2];
    const uint8_t max = r > g ? (r > b ? r : b) : (g > b ? g : b),
                  min = r < g ? (r < b ? r : b) : (g < b ? g : b);
    const float range = (float)(max - min);
    float h, rc, gc, bc;
    double turn;

    hsv[0] = hsv[1] = 0;
    hsv[2] = max;
    if (max == min)
        return;
    rc = (float)(max - r) / range;
    gc = (float)(max - g) / range;
    bc = (float)(max - b) / range;
    h = r == max   ? bc - gc
        : g == max ? (float)(2.0 + rc - bc)
                   : (float)(4.0 + gc - rc);
    turn = h / 6.0 + 1.0; /* 5/6 to 2: what is left of a whole turn */
    h = (float)(turn >= 1.0 ? turn - 1.0 : turn);
    hsv[0] = clip_int((int)(h * 255.0));
    hsv[1] = clip_int((int)(range / (float)max * 255.0));
}

/* V is not negative; the result is that of round() for each of the 2^24
 * colours.  */
static uint8_t rounded(double v)
{
    return (uint8_t)(int)(v + 0.5);
}

static void to_rgb(uint8_t *to, const uint8_t hsv[3])
{
    const uint8_t v = hsv[2];
    const int i = (int)((float)hsv[0] * 6.0 / 255.0);
    const float f = (float)((float)hsv[0] * 6.0 / 255.0 - (float)i),
                s = (float)((float)hsv[1] / 255.0);
    const uint8_t p = rounded((float)v * (1.0 - s)),
                  q = rounded((float)v * (1.0 - s * f)),
                  t = rounded((float)v * (1.0 - s * (1.0 - f)));
    const uint8_t sector[7][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v},
                                  {t, p, v}, {v, p, q}, {v, t, p}};

    memcpy(to, sector[i], 3);
}

void colour_hue(struct image *im, double shift)
{
    const size_t n = pixels(im);
    const uint8_t turn = (uint8_t)(int)(shift * 255);

    for (size_t i = 0; i < n; i++) {
        uint8_t hsv[3];

        to_hsv(hsv, im->rgb + 3 * i);
        hsv[0] = (uint8_t)(hsv[0] + turn);
        to_rgb(im->rgb + 3 * i, hsv);
    }
}

/* ---- sharpness ---- */

/* Pillow's SMOOTH of the inner bytes of a row of N: 1 1 1, 1 5 1, 1 1 1 over
 * 13, rounded.  Pillow has it in float, which is never near enough to a half
 * to matter.  SUM is room for N.  */
static void smooth(uint8_t *to, const uint8_t *row, size_t n, uint16_t *sum)
{
    const uint8_t *up = row - n, *low = row + n;

#pragma omp simd
    for (size_t i = 0; i < n; i++)
        sum[i] = (uint16_t)(up[i] + row[i] + low[i]);
#pragma omp simd
    for (size_t i = 3; i < n - 3; i++) {
        const uint32_t v = sum[i - 3] + sum[i] + sum[i + 3] + 4u * row[i] + 6u;

        to[i] = (uint8_t)(v * 5042 >> 16); /* v / 13 */
    }
}

int colour_sharpness(struct image *im, double factor, struct err *e)
{
    const size_t n = (size_t)im->w * 3;
    const float f = (float)factor;
    struct image to;
    uint16_t *sum;

    if (im->w < 3 || im->h < 3)
        return 0; /* Pillow's filter leaves these alone, so does the blend */
    if (image_copy(&to, im, e) < 0)
        return -1;
    sum = xmalloc(n * sizeof *sum);
    for (int y = 1; y < im->h - 1; y++) {
        const uint8_t *row = im->rgb + (size_t)y * n;
        uint8_t *d = to.rgb + (size_t)y * n;

        smooth(d, row, n, sum);
#pragma omp simd
        for (size_t i = 3; i < n - 3; i++)
            d[i] = blend(d[i], row[i], f);
    }
    free(sum);
    image_release(im);
    *im = to;
    return 0;
}
