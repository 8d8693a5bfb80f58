/* pack.c -- see pack.h.
 * SPDX-License-Identifier: MIT  */
#include "image/pack.h"

#include <stddef.h>

#include "base/cpuinfo.h"
#include "image/pack_row.h"

/* A pixel has 256 values: each is worked out once.  */
static void values(float value[256], float mean, float std)
{
    for (int v = 0; v < 256; v++)
        value[v] = ((float)v / 255.0f - mean) / std;
}

/* Pixels FROM .. of a row.  */
static void row(float *y, const uint8_t *x, int from, int w, int mirror,
                const float value[256])
{
    for (int i = from; i < w; i++)
        y[mirror ? w - 1 - i : i] = value[x[3 * i]];
}

static pack_row_fn *fast_way(void)
{
#if defined(__x86_64__)
    if (cpu_features() & CPU_AVX2)
        return pack_row_avx2;
#endif
    return NULL;
}

static void plane(float *y, const struct image *im, int c, float mean,
                  float std, int mirror)
{
    pack_row_fn *const way = fast_way();
    const int w = im->w, fast = way ? w / PACK_PIXELS * PACK_PIXELS : 0;
    const uint8_t *x = im->rgb;
    float value[256];

    if (fast < w)
        values(value, mean, std);
    for (int i = 0; i < im->h; i++, x += 3 * (size_t)w, y += w) {
        if (fast)
            way(mirror ? y + w - fast : y, x, fast, c, mean, std, mirror);
        row(y, x + c, fast, w, mirror, value);
    }
}

void pack_chw(float *y, const struct image *im, const float mean[3],
              const float std[3], int bgr, int mirror)
{
    const int64_t n = (int64_t)im->w * im->h;

    for (int c = 0; c < 3; c++)
        plane(y + c * n, im, bgr ? 2 - c : c, mean[c], std[c], mirror);
}
