/* bmp.c -- BMP to RGB: 1, 4, 8 bits with a palette, plain or run-length
 * coded; 16, 24 and 32 bits, with or without masks; bottom-up or top-down.
 * SPDX-License-Identifier: MIT
 *
 * The stated file and image sizes are not trusted nor needed; alpha is
 * dropped.  A channel of N bits becomes v * 255 / (2^N - 1), rounded down,
 * as Pillow has it.  */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/word.h"
#include "image/codec.h"
#include "image/format.h"

enum { PLAIN = 0, RLE8 = 1, RLE4 = 2, MASKS = 3, ALPHA_MASKS = 6 };
enum { CORE = 12, INFO = 40, OS2 = 64 };

struct bmp {
    const uint8_t *p;
    size_t n;
    uint32_t header, pixels; /* length of the header, place of the pixels */
    int64_t w, h;
    int top_down, bits;
    uint32_t packing, mask[3]; /* R G B */
    const uint8_t *palette;    /* B G R, each ENTRY bytes */
    size_t n_palette, entry;
};

static int bad(struct err *e, size_t at, const char *why)
{
    return err_set(e, ERR_FORMAT, "bmp: byte %zu: %s", at, why);
}

static int sniff(const uint8_t *p, size_t n)
{
    return n >= 2 && p[0] == 'B' && p[1] == 'M';
}

/* ---- headers ---- */

static int read_core(struct bmp *b)
{
    b->w = word_le16(b->p + 18);
    b->h = word_le16(b->p + 20);
    b->bits = (int)word_le16(b->p + 24);
    b->entry = 3;
    return 0;
}

static int read_info(struct bmp *b, struct err *e)
{
    b->w = (int32_t)word_le32(b->p + 18);
    b->h = (int32_t)word_le32(b->p + 22);
    b->top_down = b->h < 0;
    b->h = b->top_down ? -b->h : b->h;
    b->bits = (int)word_le16(b->p + 28);
    b->packing = word_le32(b->p + 30);
    b->n_palette = word_le32(b->p + 46);
    b->entry = 4;
    if (b->top_down && (b->packing == RLE4 || b->packing == RLE8))
        return bad(e, 22, "run-length coding cannot be top-down");
    return 0;
}

static int packing_fits(const struct bmp *b)
{
    static const struct {
        uint8_t bits, packing;
    } known[] = {{1, PLAIN},  {4, PLAIN},        {8, PLAIN},
                 {16, PLAIN}, {24, PLAIN},       {32, PLAIN},
                 {4, RLE4},   {8, RLE8},         {16, MASKS},
                 {32, MASKS}, {16, ALPHA_MASKS}, {32, ALPHA_MASKS}};

    if (b->header == OS2 && b->packing >= MASKS)
        return 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].bits == b->bits && known[i].packing == b->packing)
            return 1;
    return 0;
}

static int read_header(struct bmp *b, struct err *e)
{
    static const uint8_t known[] = {CORE, INFO, 52, 56, OS2, 108, 124};

    if (b->n < 18)
        return err_set(e, ERR_FORMAT, "bmp: ends at byte %zu, in its header",
                       b->n);
    b->pixels = word_le32(b->p + 10);
    b->header = word_le32(b->p + 14);
    if (b->header > 124 || !memchr(known, (int)b->header, sizeof known))
        return err_set(e, ERR_UNSUPPORTED,
                       "bmp: byte 14: a header of %lu bytes is not known",
                       (unsigned long)b->header);
    if (b->n - 14 < b->header)
        return err_set(e, ERR_FORMAT, "bmp: ends at byte %zu, in its header",
                       b->n);
    if ((b->header == CORE ? read_core(b) : read_info(b, e)) < 0)
        return -1;
    if (!packing_fits(b))
        return err_set(e, ERR_UNSUPPORTED,
                       "bmp: byte 30: packing %lu with %d bits is not read",
                       (unsigned long)b->packing, b->bits);
    if (b->pixels > b->n)
        return bad(e, 10, "the pixels are said to lie beyond the end");
    return 0;
}

static int read_palette(struct bmp *b, struct err *e)
{
    const size_t at = 14 + (size_t)b->header, most = (size_t)1 << b->bits;
    size_t room = b->n - at;

    if (b->n_palette > most)
        return err_set(e, ERR_FORMAT,
                       "bmp: byte 46: %zu colours are too many for %d bits",
                       b->n_palette, b->bits);
    if (!b->n_palette) {
        b->n_palette = most;
        if (b->pixels >= at && b->pixels - at < room)
            room = b->pixels - at;
        if (b->n_palette > room / b->entry)
            b->n_palette = room / b->entry;
    }
    if (b->n_palette > room / b->entry)
        return bad(e, at, "the palette is cut");
    b->palette = b->p + at;
    return 0;
}

static int is_run(uint32_t mask)
{
    const uint32_t low = mask & -mask;

    return !(mask & (mask + low));
}

static int read_masks(struct bmp *b, struct err *e)
{
    static const uint32_t m16[3] = {0x7c00, 0x3e0, 0x1f},
                          m32[3] = {0xff0000, 0xff00, 0xff};

    memcpy(b->mask, b->bits == 16 ? m16 : m32, sizeof b->mask);
    if (b->packing == PLAIN)
        return 0;
    if (b->n < 14 + INFO + 12)
        return bad(e, b->n, "ends in the masks");
    for (int i = 0; i < 3; i++) {
        b->mask[i] = word_le32(b->p + 14 + INFO + 4 * i);
        if (!is_run(b->mask[i]) || (b->bits == 16 && b->mask[i] > 0xffff))
            return bad(e, 14 + INFO + 4 * (size_t)i,
                       "a channel's mask is no run of bits");
    }
    return 0;
}

static int read_all_headers(struct bmp *b, const uint8_t *p, size_t n,
                            struct err *e)
{
    *b = (struct bmp){.p = p, .n = n};
    if (read_header(b, e) < 0)
        return -1;
    return b->bits <= 8 ? read_palette(b, e) : read_masks(b, e);
}

static void tell(struct codec_info *ci, const struct bmp *b)
{
    ci->w = (int)(b->w < INT32_MAX ? b->w : INT32_MAX);
    ci->h = (int)(b->h < INT32_MAX ? b->h : INT32_MAX);
    ci->orientation = 1;
}

static int info(struct codec_info *ci, const uint8_t *p, size_t n,
                struct err *e)
{
    struct bmp b;

    if (read_all_headers(&b, p, n, e) < 0)
        return -1;
    tell(ci, &b);
    return 0;
}

/* ---- rows ---- */

static int colour(uint8_t *to, const struct bmp *b, unsigned index, size_t at,
                  struct err *e)
{
    const uint8_t *c = b->palette + b->entry * index;

    if (index >= b->n_palette)
        return err_set(e, ERR_FORMAT,
                       "bmp: byte %zu: colour %u in a palette of %zu", at,
                       index, b->n_palette);
    to[0] = c[2];
    to[1] = c[1];
    to[2] = c[0];
    return 0;
}

static int row_palette(uint8_t *to, const uint8_t *row, const struct bmp *b,
                       struct err *e)
{
    const unsigned bits = (unsigned)b->bits, per = 8 / bits;

    for (size_t x = 0; x < (size_t)b->w; x++, to += 3) {
        const unsigned shift = 8 - bits - bits * (unsigned)(x % per),
                       index = row[x / per] >> shift & ((1u << bits) - 1);

        if (colour(to, b, index, (size_t)(row - b->p) + x / per, e) < 0)
            return -1;
    }
    return 0;
}

static int row_masks(uint8_t *to, const uint8_t *row, const struct bmp *b,
                     struct err *e)
{
    (void)e;
    for (int64_t x = 0; x < b->w; x++, row += b->bits / 8, to += 3) {
        const uint32_t v = b->bits == 16 ? word_le16(row) : word_le32(row);

        for (int i = 0; i < 3; i++) {
            const uint32_t m = b->mask[i], low = m & -m;

            to[i] =
                m ? (uint8_t)((uint64_t)((v & m) / low) * 255 / (m / low)) : 0;
        }
    }
    return 0;
}

static int row_bgr(uint8_t *to, const uint8_t *row, const struct bmp *b,
                   struct err *e)
{
    (void)e;
    for (int64_t x = 0; x < b->w; x++, row += b->bits / 8, to += 3) {
        to[0] = row[2];
        to[1] = row[1];
        to[2] = row[0];
    }
    return 0;
}

static uint8_t *row_of(const struct image *im, const struct bmp *b, int64_t y)
{
    return im->rgb +
           (size_t)(b->top_down ? y : b->h - 1 - y) * (size_t)b->w * 3;
}

static int read_rows(struct image *im, const struct bmp *b, struct err *e)
{
    const size_t stride = ((size_t)b->w * (size_t)b->bits + 31) / 32 * 4,
                 need = stride * (size_t)b->h;
    int (*const read)(uint8_t *, const uint8_t *, const struct bmp *,
                      struct err *) =
        b->bits <= 8                                              ? row_palette
        : b->bits == 24 || (b->bits == 32 && b->packing == PLAIN) ? row_bgr
                                                                  : row_masks;

    if (need > b->n - b->pixels)
        return err_set(e, ERR_FORMAT,
                       "bmp: ends at byte %zu: %zu bytes of pixels are needed, "
                       "%zu are there",
                       b->n, need, b->n - b->pixels);
    if (image_new(im, (int)b->w, (int)b->h, e) < 0)
        return -1;
    for (int64_t y = 0; y < b->h; y++)
        if (read(row_of(im, b, y), b->p + b->pixels + stride * (size_t)y, b,
                 e) < 0)
            return -1;
    return 0;
}

/* ---- run-length coding ---- */

struct rle {
    struct image *im;
    const struct bmp *b;
    size_t at;
    int64_t x, y;
};

/* N pixels from here: one byte's two halves again and again, or as many
 * bytes as are needed.  */
static int put(struct rle *r, unsigned n, const uint8_t *from, int advance,
               struct err *e)
{
    const int half = r->b->bits == 4;

    if (r->y >= r->b->h || n > r->b->w - r->x)
        return bad(e, r->at, "a run passes the end of its row");
    for (unsigned i = 0; i < n; i++) {
        const uint8_t v = from[!advance ? 0 : half ? i / 2 : i];
        const unsigned index = !half ? v : i % 2 ? v & 15u : v >> 4u;

        if (colour(row_of(r->im, r->b, r->y) + 3 * r->x++, r->b, index, r->at,
                   e) < 0)
            return -1;
    }
    return 0;
}

static int put_literal(struct rle *r, unsigned n, struct err *e)
{
    const size_t bytes = r->b->bits == 4 ? (n + 1) / 2 : n,
                 padded = (bytes + 1) & ~(size_t)1;

    if (padded > r->b->n - r->at)
        return bad(e, r->b->n, "ends within a run");
    if (put(r, n, r->b->p + r->at, 1, e) < 0)
        return -1;
    r->at += padded;
    return 0;
}

static int move(struct rle *r, struct err *e)
{
    if (r->b->n - r->at < 2)
        return bad(e, r->b->n, "ends within a run");
    r->x += r->b->p[r->at++];
    r->y += r->b->p[r->at++];
    if (r->x > r->b->w || r->y >= r->b->h)
        return bad(e, r->at, "a step leaves the picture");
    return 0;
}

/* Pixels that no run names have colour 0.  */
static int clear(struct image *im, const struct bmp *b, struct err *e)
{
    const size_t n = (size_t)b->w * (size_t)b->h;

    if (image_new(im, (int)b->w, (int)b->h, e) < 0 ||
        colour(im->rgb, b, 0, b->pixels, e) < 0)
        return -1;
    for (size_t i = 1; i < n; i++)
        memcpy(im->rgb + 3 * i, im->rgb, 3);
    return 0;
}

static int read_rle(struct image *im, const struct bmp *b, struct err *e)
{
    enum { LINE_END = 0, END = 1, MOVE = 2 };
    struct rle r = {.im = im, .b = b, .at = b->pixels};

    if (clear(im, b, e) < 0)
        return -1;
    for (;;) {
        unsigned n, v;
        int bad_run = 0;

        if (b->n - r.at < 2)
            return bad(e, b->n, "ends without the mark of its end");
        n = b->p[r.at++];
        v = b->p[r.at++];
        if (n)
            bad_run = put(&r, n, b->p + r.at - 1, 0, e);
        else if (v == END)
            return 0;
        else if (v == LINE_END)
            r.x = 0, r.y++;
        else if (v == MOVE)
            bad_run = move(&r, e);
        else
            bad_run = put_literal(&r, v, e);
        if (bad_run)
            return -1;
    }
}

/* A run covers at most 255 pixels with 2 bytes, a step 255 rows with 4:
 * nothing short makes a large picture but by leaving it empty.  */
static int check_rle(const struct bmp *b, struct err *e)
{
    if ((uint64_t)b->w * (uint64_t)b->h / 65536 <= b->n)
        return 0;
    return err_set(e, ERR_FORMAT, "bmp: %zu bytes cannot hold %lldx%lld pixels",
                   b->n, (long long)b->w, (long long)b->h);
}

static int decode(struct image *im, struct codec_info *ci, const uint8_t *p,
                  size_t n, const struct codec_opts *o, struct err *e)
{
    struct bmp b;
    int r;

    if (read_all_headers(&b, p, n, e) < 0 ||
        codec_check_size("bmp", b.w, b.h, o, e) < 0)
        return -1;
    tell(ci, &b);
    if (b.packing == RLE8 || b.packing == RLE4)
        r = check_rle(&b, e) < 0 ? -1 : read_rle(im, &b, e);
    else
        r = read_rows(im, &b, e);
    if (r < 0)
        image_release(im);
    return r;
}

static size_t end(const uint8_t *p, size_t n)
{
    const size_t stated = n >= 14 ? word_le32(p + 2) : 0;

    return stated >= 14 && stated < n ? stated : n;
}

const struct format bmp_format = {"bmp", sniff, info, decode, end};
