/* synth.c -- see synth.h: shapes and textures on clutter, in integers.
 * SPDX-License-Identifier: MIT
 *
 * The picture is a square of UNIT x UNIT, sampled at SUB x SUB points a pixel;
 * so a picture of another size shows the same scene.  The object's own
 * coordinates have its radius at ONE.  */
#include "data/synth.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/rng.h"

enum { UNIT = 1 << 16, ONE = 1 << 12, SUB = 3, CIRCLE = 256, QUARTER = 64 };

const char *const synth_classes[SYNTH_CLASSES + 1] = {
    "checker", "circle", "cross",   "dots",     "ring", "spiral",
    "square",  "star",   "stripes", "triangle", NULL};

/* ---- numbers ---- */

struct draw {
    struct rng rng;
    uint64_t at;
};

/* A number in [LOW, HIGH].  */
static int draw(struct draw *d, int low, int high)
{
    const uint64_t n = (uint64_t)((int64_t)high - low) + 1;

    return low + (int)(((uint64_t)rng_u32(&d->rng, d->at++) * n) >> 32);
}

/* round(32768 sin(pi i / 128)), i = 0 .. 64 */
// clang-format off
static const int quarter[QUARTER + 1] = {
    0, 804, 1608, 2411, 3212, 4011, 4808, 5602, 6393,
    7180, 7962, 8740, 9512, 10279, 11039, 11793, 12540, 13279,
    14010, 14733, 15447, 16151, 16846, 17531, 18205, 18868, 19520,
    20160, 20788, 21403, 22006, 22595, 23170, 23732, 24279, 24812,
    25330, 25833, 26320, 26791, 27246, 27684, 28106, 28511, 28899,
    29269, 29622, 29957, 30274, 30572, 30853, 31114, 31357, 31581,
    31786, 31972, 32138, 32286, 32413, 32522, 32610, 32679, 32729,
    32758, 32768,
};
// clang-format on

/* The sine of A / 256 of a turn, times 32768.  */
static int sine(int a)
{
    a &= CIRCLE - 1;
    if (a >= CIRCLE / 2)
        return -sine(a - CIRCLE / 2);
    return quarter[a <= QUARTER ? a : CIRCLE / 2 - a];
}

static int cosine(int a)
{
    return sine(a + QUARTER);
}

/* The angle of (U, V) in 1/65536 of a turn, to about 0.2 degrees:
 * atan z = z pi/4 + 0.273 z (1 - z) in the first octant.  */
static int angle(int u, int v)
{
    const int64_t x = abs(u), y = abs(v);
    const int64_t z = x > y ? y * 65536 / (x ? x : 1) : x * 65536 / (y ? y : 1);
    int64_t a = (z * 8192 + z * (65536 - z) / 65536 * 2847) >> 16;

    if (y > x)
        a = 16384 - a;
    if (u < 0)
        a = 32768 - a;
    return (int)(v < 0 ? -a : a) & 65535;
}

/* ---- the ten classes: is the point inside? ---- */

#define PART(x) ((int)((x)*ONE))

static int in_disc(int u, int v, int r)
{
    return (int64_t)u * u + (int64_t)v * v < (int64_t)r * r;
}

/* Which piece of width N the coordinate is in, even or odd.  */
static int parity(int x, int n)
{
    return ((x + 64 * n) / n) & 1;
}

static int is_circle(int u, int v)
{
    return in_disc(u, v, PART(.88));
}

static int is_ring(int u, int v)
{
    return in_disc(u, v, PART(.96)) && !in_disc(u, v, PART(.56));
}

static int is_square(int u, int v)
{
    return abs(u) < PART(.78) && abs(v) < PART(.78);
}

static int is_cross(int u, int v)
{
    const int x = abs(u), y = abs(v);

    return (x < PART(.28) && y < PART(.98)) || (y < PART(.28) && x < PART(.98));
}

/* Above the base and below two sides at 60 degrees.  */
static int is_triangle(int u, int v)
{
    return v < PART(.55) && (int64_t)abs(u) * 1774 < (int64_t)(v + ONE) * 1024;
}

/* Five lines; the star is where at most one of them is crossed.  */
static int is_star(int u, int v)
{
    int outside = 0;

    for (int i = 0; i < 5; i++) {
        const int a = i * CIRCLE / 5 + QUARTER;
        const int64_t x = (int64_t)u * cosine(a) + (int64_t)v * sine(a);

        outside += x > (int64_t)PART(.34) * 32768;
    }
    return outside <= 1 && in_disc(u, v, PART(1.1));
}

static int is_stripes(int u, int v)
{
    return in_disc(u, v, PART(.98)) && parity(u + PART(.14), PART(.28));
}

static int is_checker(int u, int v)
{
    return abs(u) < PART(.88) && abs(v) < PART(.88) &&
           (parity(u, PART(.44)) ^ parity(v, PART(.44)));
}

/* One in the middle, six around.  */
static int is_dots(int u, int v)
{
    if (in_disc(u, v, PART(.24)))
        return 1;
    for (int i = 0; i < 6; i++) {
        const int a = i * CIRCLE / 6;
        const int x = cosine(a) * PART(.74) / 32768;
        const int y = sine(a) * PART(.74) / 32768;

        if (in_disc(u - x, v - y, PART(.24)))
            return 1;
    }
    return 0;
}

static int root(int64_t x)
{
    int64_t r = 0;

    for (int64_t bit = 1 << 15; bit; bit >>= 1)
        if ((r + bit) * (r + bit) <= x)
            r += bit;
    return (int)r;
}

/* An arm that winds out by .5 a turn.  */
static int is_spiral(int u, int v)
{
    const int r = root((int64_t)u * u + (int64_t)v * v);
    const int turn = r * 65536 / PART(.5);

    return r < PART(1) && ((turn - angle(u, v)) & 65535) < 30000;
}

static int (*const inside[SYNTH_CLASSES])(int u, int v) = {
    is_checker, is_circle, is_cross, is_dots,    is_ring,
    is_spiral,  is_square, is_star,  is_stripes, is_triangle};

/* ---- scenes ---- */

struct colour {
    int c[3];
};

/* A thing of a place, a size and a turn.  */
struct thing {
    int x, y;   /* middle, UNIT */
    int rx, ry; /* radii, UNIT */
    int sin, cos;
    int (*inside)(int u, int v);
    struct colour colour;
};

enum { CLUTTER_MAX = 9 };

struct scene {
    struct colour from, to; /* the ground, a gradient */
    int gx, gy;             /* along this direction, times 32768 */
    struct thing clutter[CLUTTER_MAX], object, over;
    int n_clutter, noise;
};

static int clip(int v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

static struct colour any_colour(struct draw *d)
{
    struct colour k;

    for (int i = 0; i < 3; i++)
        k.c[i] = draw(d, 0, 255);
    return k;
}

static struct colour near_colour(struct draw *d, struct colour k, int by)
{
    for (int i = 0; i < 3; i++)
        k.c[i] = clip(k.c[i] + draw(d, -by, by));
    return k;
}

static int luma(struct colour k)
{
    return (77 * k.c[0] + 150 * k.c[1] + 29 * k.c[2]) >> 8;
}

/* A colour that can be told from the ground: as light or dark as it takes.  */
static struct colour other_colour(struct draw *d, struct colour ground)
{
    struct colour k = ground;

    for (int i = 0; i < 64 && abs(luma(k) - luma(ground)) < 64; i++)
        k = any_colour(d);
    return k;
}

static void turn(struct thing *t, int a)
{
    t->sin = sine(a);
    t->cos = cosine(a);
}

static int is_bar(int u, int v)
{
    return abs(u) < ONE && abs(v) < ONE;
}

static int is_blob(int u, int v)
{
    return in_disc(u, v, ONE);
}

/* Thin bars and small blobs, anywhere.  */
static struct thing any_clutter(struct draw *d, struct colour ground)
{
    struct thing t = {.x = draw(d, 0, UNIT - 1), .y = draw(d, 0, UNIT - 1)};
    const int bar = draw(d, 0, 2) > 0;

    t.inside = bar ? is_bar : is_blob;
    t.rx = bar ? draw(d, UNIT / 10, UNIT / 3) : draw(d, UNIT / 40, UNIT / 14);
    t.ry = bar ? draw(d, UNIT / 90, UNIT / 45) : draw(d, UNIT / 40, UNIT / 14);
    turn(&t, draw(d, 0, CIRCLE - 1));
    t.colour = draw(d, 0, 1) ? any_colour(d) : near_colour(d, ground, 70);
    return t;
}

static struct thing object(struct draw *d, int label, struct colour ground)
{
    const int r = draw(d, UNIT * 20 / 100, UNIT * 36 / 100);
    const int edge = r * 85 / 100;
    struct thing t = {.x = draw(d, edge, UNIT - edge),
                      .y = draw(d, edge, UNIT - edge),
                      .inside = inside[label]};

    t.rx = r * draw(d, 90, 110) / 100 * (draw(d, 0, 1) ? 1 : -1);
    t.ry = r * draw(d, 90, 110) / 100;
    turn(&t, draw(d, 0, CIRCLE - 1));
    t.colour = other_colour(d, ground);
    return t;
}

static void scene_draw(struct scene *s, struct draw *d, int label)
{
    const struct colour ground = any_colour(d);
    const int a = draw(d, 0, CIRCLE - 1);

    s->from = near_colour(d, ground, 24);
    s->to = near_colour(d, ground, 24);
    s->gx = cosine(a);
    s->gy = sine(a);
    s->n_clutter = draw(d, 3, CLUTTER_MAX);
    for (int i = 0; i < s->n_clutter; i++)
        s->clutter[i] = any_clutter(d, ground);
    s->object = object(d, label, ground);
    s->over = any_clutter(d, ground);
    s->noise = draw(d, 4, 28);
}

/* ---- pixels ---- */

static int covers(const struct thing *t, int x, int y)
{
    const int64_t dx = x - t->x, dy = y - t->y;
    const int64_t u = (dx * t->cos + dy * t->sin) / 32768 * ONE / t->rx;
    const int64_t v = (dy * t->cos - dx * t->sin) / 32768 * ONE / t->ry;

    /* far outside: nothing is larger than two radii */
    if (u > 2 * ONE || u < -2 * ONE || v > 2 * ONE || v < -2 * ONE)
        return 0;
    return t->inside((int)u, (int)v);
}

static struct colour ground_at(const struct scene *s, int x, int y)
{
    /* -UNIT .. UNIT along the direction, near enough */
    const int64_t g =
        ((int64_t)(x - UNIT / 2) * s->gx + (int64_t)(y - UNIT / 2) * s->gy) /
        32768;
    struct colour k;

    for (int i = 0; i < 3; i++)
        k.c[i] =
            clip((int)(s->from.c[i] +
                       (g + UNIT) * (s->to.c[i] - s->from.c[i]) / (2 * UNIT)));
    return k;
}

/* What is on top at a point.  */
static struct colour colour_at(const struct scene *s, int x, int y)
{
    if (covers(&s->over, x, y))
        return s->over.colour;
    if (covers(&s->object, x, y))
        return s->object.colour;
    for (int i = s->n_clutter - 1; i >= 0; i--)
        if (covers(&s->clutter[i], x, y))
            return s->clutter[i].colour;
    return ground_at(s, x, y);
}

/* The middle of sample I of N * SUB along a side.  */
static int place(int i, int n)
{
    return (int)((int64_t)(2 * i + 1) * UNIT / (2 * n * SUB));
}

static void pixel(uint8_t *p, const struct scene *s, int x, int y, int size,
                  uint32_t noise)
{
    int sum[3] = {0, 0, 0};

    for (int i = 0; i < SUB * SUB; i++) {
        const struct colour k = colour_at(s, place(x * SUB + i % SUB, size),
                                          place(y * SUB + i / SUB, size));

        for (int c = 0; c < 3; c++)
            sum[c] += k.c[c];
    }
    for (int c = 0; c < 3; c++) {
        const int n = (int)(noise >> (8 * c) & 255) - 128;

        p[c] = (uint8_t)clip((sum[c] + SUB * SUB / 2) / (SUB * SUB) +
                             n * s->noise / 128);
    }
}

int synth_image(struct image *im, uint64_t seed, int label, int64_t i, int size,
                struct err *e)
{
    struct draw d = {rng_at(seed, RNG_SYNTH, (uint64_t)label, (uint64_t)i), 0};
    const struct rng noise = rng_sub(&d.rng, (uint64_t)size);
    struct scene s;

    if (label < 0 || label >= SYNTH_CLASSES)
        BUG("class %d", label);
    if (image_new(im, size, size, e) < 0)
        return -1;
    scene_draw(&s, &d, label);
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            const size_t at = (size_t)y * (size_t)size + (size_t)x;

            pixel(im->rgb + 3 * at, &s, x, y, size, rng_u32(&noise, at));
        }
    return 0;
}
