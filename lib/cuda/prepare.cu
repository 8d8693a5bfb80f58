/* prepare.cu -- pictures become inputs: resized, cut, changed, normalised.
 * SPDX-License-Identifier: MIT
 *
 * To the bit what image/job.h defines: sums of integers, and products that the
 * compiler may not join with sums.  A thread makes a pixel at a time.  */
#include "cuda/cuda.cuh"
#include "cuda/random.cuh"

extern "C" {
#include "image/job.h"
#include "image/resize_taps.h"
}

struct pixel {
    int r, g, b;
};

__device__ __forceinline__ struct pixel load(const uint8_t *p)
{
    return {p[0], p[1], p[2]};
}

__device__ __forceinline__ void store(uint8_t *to, const struct pixel &p)
{
    to[0] = (uint8_t)p.r;
    to[1] = (uint8_t)p.g;
    to[2] = (uint8_t)p.b;
}

/* ---- another size: image/resize.c ---- */

__device__ __forceinline__ int clip(int v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

/* Output I of side S, whose words are W, from the pixels at P, STEP bytes
 * apart.  */
__device__ struct pixel weigh(const struct job_side &s, const int32_t *w, int i, const uint8_t *p,
                              int64_t step)
{
    const int count = w[s.n + i];
    const int32_t *k = w + 2 * (int64_t)s.n + i;
    struct pixel sum = {TAPS_HALF, TAPS_HALF, TAPS_HALF};

    for (int t = 0; t < count; t++, k += s.n, p += step) {
        sum.r += p[0] * *k;
        sum.g += p[1] * *k;
        sum.b += p[2] * *k;
    }
    return {clip(sum.r >> TAPS_BITS), clip(sum.g >> TAPS_BITS), clip(sum.b >> TAPS_BITS)};
}

/* Byte of the pixel ALONG the side that is resized last, and ACROSS it, in a
 * picture W pixels wide.  */
__device__ __forceinline__ int64_t pixel_at(const struct job_flat &j, int64_t along, int64_t across,
                                            int64_t w)
{
    return 3 * (j.last ? along * w + across : across * w + along);
}

/* The picture in between, one after the other.  */
__global__ void resize_first(struct job_batch b)
{
    for (int64_t n = blockIdx.y; n < b.n; n += gridDim.y) {
        const struct job_flat &j = b.job[n];
        const struct job_side &s = j.side[!j.last];
        const int w = j.last ? s.n : j.mid_n, h = j.last ? j.mid_n : s.n;
        const int64_t step = j.last ? 3 : 3 * (int64_t)j.w;

        if (!j.w || j.mid < 0)
            continue;
        for (EACH (i, (int64_t)w * h)) {
            const int x = (int)(i % w), y = (int)(i / w), at = j.last ? x : y;
            const int32_t *words = b.words + s.at;

            store(b.scratch + j.mid + 3 * i,
                  weigh(s, words, at,
                        b.bytes + j.pixels +
                            pixel_at(j, j.mid_first + (j.last ? y : x), words[at], j.w),
                        step));
        }
    }
}

/* The pixel (X, Y), resized and in its place.  */
__device__ struct pixel resized(const struct job_batch &b, const struct job_flat &j, int x, int y)
{
    const struct job_side &s = j.side[j.last], &o = j.side[!j.last];
    const int32_t *words = b.words + s.at, *other = b.words + o.at;
    const int i = j.last ? y : x, k = j.last ? x : y, mid = j.mid >= 0;
    const int64_t w = !mid ? j.w : j.last ? o.n : j.mid_n;
    const uint8_t *from = mid ? b.scratch + j.mid : b.bytes + j.pixels;

    if (!mid && !other[o.n + k])
        return {0, 0, 0};
    return weigh(s, words, i,
                 from + pixel_at(j, mid ? words[i] - j.mid_first : words[i], mid ? k : other[k], w),
                 j.last ? 3 * w : 3);
}

/* ---- other colours: image/colour.c ---- */

__device__ __forceinline__ int luma(const struct pixel &p)
{
    return (int)((p.r * 19595u + p.g * 38470u + p.b * 7471u + 0x8000) >> 16);
}

__device__ __forceinline__ int blend(int a, int b, float f)
{
    const float v = __fadd_rn((float)a, __fmul_rn(f, (float)(b - a)));

    return v < 0 ? 0 : (int)(v > 255 ? 255 : v);
}

__device__ __forceinline__ struct pixel blended(int grey, const struct pixel &p, double by)
{
    const float f = (float)by;

    return {blend(grey, p.r, f), blend(grey, p.g, f), blend(grey, p.b, f)};
}

struct hsv {
    int h, s, v;
};

__device__ struct hsv to_hsv(const struct pixel &p)
{
    const int most = max(p.r, max(p.g, p.b)), least = min(p.r, min(p.g, p.b));
    const float range = (float)(most - least);
    struct hsv to = {0, 0, most};
    float h, rc, gc, bc;
    double turn;

    if (most == least)
        return to;
    rc = (float)(most - p.r) / range;
    gc = (float)(most - p.g) / range;
    bc = (float)(most - p.b) / range;
    h = p.r == most ? bc - gc : p.g == most ? (float)(2.0 + rc - bc) : (float)(4.0 + gc - rc);
    turn = h / 6.0 + 1.0;
    h = (float)(turn >= 1.0 ? turn - 1.0 : turn);
    to.h = clip((int)(h * 255.0));
    to.s = clip((int)(range / (float)most * 255.0));
    return to;
}

__device__ __forceinline__ int part(int v, double share)
{
    return (int)(__dmul_rn((float)v, share) + 0.5);
}

__device__ struct pixel to_rgb(const struct hsv &c)
{
    const int i = (int)((float)c.h * 6.0 / 255.0), v = c.v;
    const float f = (float)((float)c.h * 6.0 / 255.0 - (float)i), s = (float)((float)c.s / 255.0);
    const int p = part(v, 1.0 - s), q = part(v, 1.0 - __fmul_rn(s, f)),
              t = part(v, 1.0 - __dmul_rn(s, 1.0 - f));

    switch (i) {
    case 1:
        return {q, v, p};
    case 2:
        return {p, v, t};
    case 3:
        return {p, q, v};
    case 4:
        return {t, p, v};
    case 5:
        return {v, p, q};
    default:
        return {v, t, p};
    }
}

__device__ struct pixel turned(const struct pixel &p, double by)
{
    struct hsv c = to_hsv(p);

    c.h = (c.h + (int)(by * 255)) & 255;
    return to_rgb(c);
}

/* ---- changes: image/change.c ---- */

__device__ struct pixel painted(const struct change &c, int x, int y)
{
    const int grey = c.fill == FILL_GREY ? 128 : 0;
    const uint64_t i = ((uint64_t)(y - c.y) * c.w + (x - c.x)) * 3;

    if (c.fill != FILL_NOISE)
        return {grey, grey, grey};
    return {(int)(random_word(c.noise, i) >> 24), (int)(random_word(c.noise, i + 1) >> 24),
            (int)(random_word(c.noise, i + 2) >> 24)};
}

__device__ __forceinline__ int is_in(const struct change &c, int x, int y)
{
    return x >= c.x && x < c.x + c.w && y >= c.y && y < c.y + c.h;
}

/* The pixel P at (X, Y), changed; MEAN: of all pixels, for a contrast.  */
__device__ struct pixel changed(const struct change &c, const struct pixel &p, int x, int y,
                                int mean)
{
    switch (c.kind) {
    case CHANGE_BRIGHTNESS:
        return blended(0, p, c.by);
    case CHANGE_CONTRAST:
        return blended(mean, p, c.by);
    case CHANGE_SATURATION:
        return blended(luma(p), p, c.by);
    case CHANGE_HUE:
        return turned(p, c.by);
    case CHANGE_GREY:
        return {luma(p), luma(p), luma(p)};
    case CHANGE_ERASE:
        return is_in(c, x, y) ? painted(c, x, y) : p;
    case CHANGE_FLIP_Y: /* not in jobs: it moves pixels */
        break;
    }
    return p;
}

/* ---- the result ---- */

/* Pixel I, by channel of the result.  */
__device__ void put_numbers(const struct job_batch &b, float *y, int64_t i, const struct pixel &p)
{
    const int64_t plane = (int64_t)b.w * b.h;

    if (b.channels == 1) {
        y[i] = b.value[luma(p)];
        return;
    }
    y[i] = b.value[b.bgr ? p.b : p.r];
    y[plane + i] = b.value[256 + p.g];
    y[2 * plane + i] = b.value[512 + (b.bgr ? p.r : p.b)];
}

/* The first change from FROM on, but the one at KNOWN, that wants the mean of
 * the picture.  */
__device__ int next_mean(const struct job_flat &j, int from, int known)
{
    while (from < j.n && (j.change[from].kind != CHANGE_CONTRAST || from == known))
        from++;
    return from;
}

/* A picture with contrast is kept, and belongs to one block, which goes over it
 * once for each mean and once more.  */
__device__ void finish(const struct job_batch &b, const struct job_flat &j, float *y)
{
    const int64_t count = (int64_t)b.w * b.h;
    int known = -1, mean = 0;

    for (;;) {
        const int from = known < 0 ? 0 : known, till = next_mean(j, from, known);
        unsigned long long sum = 0;

        for (EACH (i, count)) {
            const int px = (int)(i % b.w), py = (int)(i / b.w);
            struct pixel p = known < 0 ? resized(b, j, px, py) : load(b.scratch + j.keep + 3 * i);

            for (int k = from; k < till; k++)
                p = changed(j.change[k], p, px, py, mean);
            if (till == j.n) {
                put_numbers(b, y, i, p);
            } else {
                store(b.scratch + j.keep + 3 * i, p);
                sum += (unsigned)luma(p);
            }
        }
        if (till == j.n)
            return;
        sum = block_total(sum);
        mean = (int)((double)sum / (double)count + 0.5);
        known = till;
    }
}

__global__ void finish_all(struct job_batch b)
{
    const int64_t numbers = (int64_t)b.channels * b.w * b.h;

    for (int64_t n = blockIdx.y; n < b.n; n += gridDim.y) {
        float *y = b.y + n * numbers;

        if (b.job[n].w)
            finish(b, b.job[n], y);
        else
            for (EACH (i, numbers))
                y[i] = 0;
    }
}

static dim3 grid_of(const struct job_batch *b, int one)
{
    const int64_t most_x = one ? 1 : 64, most_y = 65535, x = div_up((int64_t)b->w * b->h, THREADS);

    return dim3((unsigned)(x < most_x ? x : most_x), (unsigned)(b->n < most_y ? b->n : most_y));
}

void cuda_prepare(const struct device *d, const struct job_batch *b)
{
    if (b->mids)
        launch(d, resize_first, grid_of(b, 0), THREADS, *b);
    launch(d, finish_all, grid_of(b, b->keeps), THREADS, *b);
}
