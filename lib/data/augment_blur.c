/* augment_blur.c -- Gaussian blur.
 * SPDX-License-Identifier: MIT  */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "data/augment_ops.h"

enum { P, MIN_SIGMA, MAX_SIGMA, RADIUS_MAX = 64, ONE = 1 << 16 };

/* Weights in 16-bit fixed point that add up to one exactly; returns the
 * radius, 3 sigma.  */
static int weights(int w[2 * RADIUS_MAX + 1], double sigma)
{
    const int r =
        (int)ceil(3 * sigma) < RADIUS_MAX ? (int)ceil(3 * sigma) : RADIUS_MAX;
    double sum = 0;
    int total = 0;

    for (int i = -r; i <= r; i++)
        sum += exp(-i * i / (2 * sigma * sigma));
    for (int i = -r; i <= r; i++) {
        w[i + r] = (int)rint(exp(-i * i / (2 * sigma * sigma)) / sum * ONE);
        total += w[i + r];
    }
    w[r] += ONE - total;
    return r;
}

/* I reflected into [0, N): -1 is 1, N is N - 2.  */
static int reflect(int i, int n)
{
    while (n > 1 && (i < 0 || i >= n))
        i = i < 0 ? -i : 2 * (n - 1) - i;
    return n > 1 ? i : 0;
}

/* One line of N pixels, STEP bytes apart, through LINE (3 N bytes).  */
static void blur_line(uint8_t *p, int n, size_t step, uint8_t *line,
                      const int *w, int r)
{
    for (int i = 0; i < n; i++)
        for (int c = 0; c < 3; c++) {
            int sum = ONE / 2;

            for (int k = -r; k <= r; k++)
                sum +=
                    w[k + r] * p[(size_t)reflect(i + k, n) * step + (size_t)c];
            line[3 * i + c] = (uint8_t)(sum >> 16);
        }
    for (int i = 0; i < n; i++)
        for (int c = 0; c < 3; c++)
            p[(size_t)i * step + (size_t)c] = line[3 * i + c];
}

static void blur(struct image *im, double sigma)
{
    const size_t row = 3 * (size_t)im->w;
    uint8_t *line = xmalloc(im->w > im->h ? row : 3 * (size_t)im->h);
    int w[2 * RADIUS_MAX + 1];
    const int r = weights(w, sigma);

    for (int y = 0; y < im->h; y++)
        blur_line(im->rgb + (size_t)y * row, im->w, 3, line, w, r);
    for (int x = 0; x < im->w; x++)
        blur_line(im->rgb + 3 * (size_t)x, im->h, row, line, w, r);
    free(line);
}

static int apply_blur(struct image *im, const double *v, const int size[2],
                      const struct rng *r, int *fired, struct err *e)
{
    (void)size;
    (void)e;
    *fired = augment_coin(r, 0, v[P]);
    if (*fired)
        blur(im, augment_between(r, 1, v[MIN_SIGMA], v[MAX_SIGMA]));
    return 0;
}

static const struct augment_arg blur_arg[] = {
    AUGMENT_P(0.5),
    {"min_sigma", 'f', 0.1, 0.01, 20, NULL, "smallest width, in pixels"},
    {"max_sigma", 'f', 2, 0.01, 20, NULL, "largest width, in pixels"},
    {0}};

const struct augment_op augment_gaussian_blur = {
    "gaussian_blur", "blur by a Gaussian of random width", blur_arg,
    apply_blur};
