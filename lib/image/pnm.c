/* pnm.c -- netpbm's PBM, PGM and PPM (P1 to P6) to RGB.
 * SPDX-License-Identifier: MIT
 *
 * A sample v of 0 .. maxval becomes v / maxval * 255, rounded to the nearest
 * (halves to even), as Pillow has it.  Of several pictures in one file the
 * first is read.  */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "image/codec.h"
#include "image/format.h"

struct pnm {
    const uint8_t *p;
    size_t n, at;
    int kind; /* the digit behind the P */
    int64_t w, h, maxval;
    int channels;
    uint8_t *scale; /* of each value up to maxval */
};

static int sniff(const uint8_t *p, size_t n)
{
    return n >= 3 && p[0] == 'P' && p[1] >= '1' && p[1] <= '6' &&
           (p[2] == '#' || strchr(" \t\n\v\f\r", p[2])) && p[2];
}

static int is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Blanks, and comments from '#' to the end of the line.  */
static void skip_blanks(struct pnm *g)
{
    int comment = 0;

    for (; g->at < g->n; g->at++) {
        const uint8_t c = g->p[g->at];

        if (comment)
            comment = c != '\n' && c != '\r';
        else if (c == '#')
            comment = 1;
        else if (!is_blank(c))
            return;
    }
}

static int bad(const struct pnm *g, struct err *e, const char *what,
               const char *why)
{
    return err_set(e, ERR_FORMAT, "pnm: byte %zu: %s %s", g->at, what, why);
}

/* The number that comes next, at most MAX.  */
static int64_t number(struct pnm *g, int64_t max, const char *what,
                      struct err *e)
{
    int64_t v = 0;

    skip_blanks(g);
    if (g->at == g->n)
        return bad(g, e, what, "is missing: the file ends");
    if (!is_digit(g->p[g->at]))
        return bad(g, e, what, "is no number");
    for (; g->at < g->n && is_digit(g->p[g->at]); g->at++) {
        v = 10 * v + (g->p[g->at] - '0');
        if (v > max)
            return bad(g, e, what, "is too large");
    }
    return v;
}

static int read_header(struct pnm *g, const uint8_t *p, size_t n, struct err *e)
{
    *g = (struct pnm){.p = p, .n = n, .at = 2, .kind = p[1] - '0', .maxval = 1};
    g->channels = g->kind % 3 == 0 ? 3 : 1;
    g->w = number(g, INT32_MAX, "the width", e);
    g->h = g->w < 0 ? -1 : number(g, INT32_MAX, "the height", e);
    if (g->h < 0)
        return -1;
    if (g->kind % 3 != 1)
        g->maxval = number(g, 65535, "the largest value", e);
    if (g->maxval < 0)
        return -1;
    if (!g->maxval)
        return bad(g, e, "the largest value", "is 0");
    if (g->at == g->n || !is_blank(g->p[g->at]))
        return bad(g, e, "a blank", "is missing behind the header");
    g->at++;
    return 0;
}

static void tell(struct codec_info *ci, const struct pnm *g)
{
    ci->w = (int)g->w;
    ci->h = (int)g->h;
    ci->orientation = 1;
}

static int info(struct codec_info *ci, const uint8_t *p, size_t n,
                struct err *e)
{
    struct pnm g;

    if (read_header(&g, p, n, e) < 0)
        return -1;
    tell(ci, &g);
    return 0;
}

/* ---- samples: the next one, 0 .. maxval, or -1 ---- */

static int64_t next_text(struct pnm *g, struct err *e)
{
    return number(g, g->maxval, "a sample", e);
}

/* In P1 the digits need no blanks between them; 1 is black.  */
static int64_t next_digit(struct pnm *g, struct err *e)
{
    skip_blanks(g);
    if (g->at == g->n)
        return bad(g, e, "a sample", "is missing: the file ends");
    if (g->p[g->at] != '0' && g->p[g->at] != '1')
        return bad(g, e, "a sample", "is neither 0 nor 1");
    return g->p[g->at++] == '0';
}

static int64_t next_byte(struct pnm *g, struct err *e)
{
    const int64_t v = g->p[g->at];

    if (v > g->maxval)
        return bad(g, e, "a sample", "is above the largest value");
    g->at++;
    return v;
}

static int64_t next_word(struct pnm *g, struct err *e)
{
    const int64_t v = g->p[g->at] << 8 | g->p[g->at + 1];

    if (v > g->maxval)
        return bad(g, e, "a sample", "is above the largest value");
    g->at += 2;
    return v;
}

static int read_samples(struct image *im, struct pnm *g, struct err *e)
{
    int64_t (*const next)(struct pnm *, struct err *) =
        g->kind == 1      ? next_digit
        : g->kind <= 3    ? next_text
        : g->maxval < 256 ? next_byte
                          : next_word;
    const size_t n = (size_t)g->w * (size_t)g->h;
    uint8_t *to = im->rgb;

    for (size_t i = 0; i < n; i++, to += 3)
        for (int c = 0; c < 3; c++) {
            int64_t v;

            if (c >= g->channels) {
                to[c] = to[0];
                continue;
            }
            v = next(g, e);
            if (v < 0)
                return -1;
            to[c] = g->scale[v];
        }
    return 0;
}

/* P4: rows of bits, the high first, each row from a new byte; 1 is black.  */
static void read_bits(struct image *im, const struct pnm *g)
{
    const size_t stride = ((size_t)g->w + 7) / 8;
    uint8_t *to = im->rgb;

    for (int y = 0; y < im->h; y++)
        for (int x = 0; x < im->w; x++, to += 3) {
            const uint8_t b = g->p[g->at + stride * (size_t)y + (size_t)x / 8];

            memset(to, b >> (7 - x % 8) & 1 ? 0 : 255, 3);
        }
}

/* How many bytes the samples take at least.  */
static uint64_t need(const struct pnm *g)
{
    const uint64_t w = (uint64_t)g->w, h = (uint64_t)g->h,
                   n = w * h * (uint64_t)g->channels;

    if (g->kind == 4)
        return (w + 7) / 8 * h;
    if (g->kind > 4)
        return g->maxval < 256 ? n : 2 * n;
    return g->kind == 1 ? n : 2 * n - 1; /* a digit and a blank each */
}

static uint8_t *scale_table(int64_t maxval)
{
    uint8_t *t = malloc((size_t)maxval + 1);

    for (int64_t v = 0; t && v <= maxval; v++)
        t[v] = (uint8_t)rint((double)v / (double)maxval * 255);
    return t;
}

static int read_pixels(struct image *im, struct pnm *g, struct err *e)
{
    int r = 0;

    if (image_new(im, (int)g->w, (int)g->h, e) < 0)
        return -1;
    if (g->kind == 4) {
        read_bits(im, g);
        return 0;
    }
    g->scale = scale_table(g->maxval);
    r = g->scale ? read_samples(im, g, e)
                 : err_set(e, ERR_NOMEM, "pnm: out of memory");
    free(g->scale);
    return r;
}

static int decode(struct image *im, struct codec_info *ci, const uint8_t *p,
                  size_t n, const struct codec_opts *o, struct err *e)
{
    struct pnm g;

    if (read_header(&g, p, n, e) < 0 ||
        codec_check_size("pnm", g.w, g.h, o, e) < 0)
        return -1;
    tell(ci, &g);
    if (need(&g) > n - g.at)
        return err_set(e, ERR_FORMAT,
                       "pnm: ends at byte %zu: %llu bytes of samples are "
                       "needed, %zu are there",
                       n, (unsigned long long)need(&g), n - g.at);
    if (read_pixels(im, &g, e) == 0)
        return 0;
    image_release(im);
    return -1;
}

static size_t end(const uint8_t *p, size_t n)
{
    struct pnm g;
    struct err unsaid = {0};

    if (read_header(&g, p, n, &unsaid) < 0 || g.kind < 4 || need(&g) > n - g.at)
        return n;
    return g.at + (size_t)need(&g);
}

const struct format pnm_format = {"pnm", sniff, info, decode, end};
