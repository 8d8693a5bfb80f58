/* pack.c -- see pack.h.
 * SPDX-License-Identifier: MIT  */
#include "image/pack.h"

/* A pixel has 256 values: each is worked out once.  */
static void plane(float *y, const uint8_t *x, int64_t n, float mean, float std)
{
    float value[256];

    for (int v = 0; v < 256; v++)
        value[v] = ((float)v / 255.0f - mean) / std;
    for (int64_t i = 0; i < n; i++)
        y[i] = value[x[3 * i]];
}

void pack_chw(float *y, const struct image *im, const float mean[3],
              const float std[3], int bgr)
{
    const int64_t n = (int64_t)im->w * im->h;

    for (int c = 0; c < 3; c++)
        plane(y + c * n, im->rgb + (bgr ? 2 - c : c), n, mean[c], std[c]);
}
