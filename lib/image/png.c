/* png.c -- PNG to RGB (W3C PNG, third edition).
 * SPDX-License-Identifier: MIT
 *
 * First a walk over the chunks: order, sizes, the CRC of each.  Then the
 * image data, joined, are unpacked into exactly the bytes that the size
 * asks for, unfiltered in place, and written as RGB pass by pass.
 *
 * Everything beyond IHDR, PLTE, IDAT and eXIf is stepped over unread: text
 * and profiles (where the bombs are), gamma, the frames of an animation.
 * What follows IEND is not looked at.  */
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/err.h"
#include "base/word.h"
#include "image/codec.h"
#include "image/exif.h"
#include "image/format.h"
#include "image/inflate.h"

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGB_ALPHA = 6 };

struct png {
    uint32_t w, h;
    int depth, type, interlaced;
    const uint8_t *plte;
    unsigned n_plte; /* colours */
    const uint8_t *exif;
    size_t exif_n;
    const uint8_t *idat; /* the first's data */
    size_t idat_bytes;   /* of all together */
    int n_idat, idat_over, has_trns;
};

struct chunk {
    const uint8_t *data;
    uint32_t n;
    size_t at; /* of its length field */
    char name[5];
};

static int wrong(const struct chunk *c, struct err *e, const char *why)
{
    return err_set(e, ERR_FORMAT, "png: chunk %s at byte %zu: %s", c->name,
                   c->at, why);
}

static int sniff(const uint8_t *p, size_t n)
{
    return n >= 4 && !memcmp(p, "\x89PNG", 4);
}

/* ---- chunks ---- */

static int is_letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The chunk at *AT; moves *AT behind it.  */
static int next_chunk(struct chunk *c, const uint8_t *p, size_t n, size_t *at,
                      struct err *e)
{
    const size_t left = n - *at;

    if (left < 12)
        return err_set(e, ERR_FORMAT, "png: ends at byte %zu, without IEND", n);
    for (int i = 0; i < 4; i++)
        if (!is_letter(p[*at + 4 + i]))
            return err_set(e, ERR_FORMAT,
                           "png: no chunk name but %02x %02x %02x %02x at byte "
                           "%zu",
                           p[*at + 4], p[*at + 5], p[*at + 6], p[*at + 7],
                           *at + 4);
    *c =
        (struct chunk){.data = p + *at + 8, .n = word_be32(p + *at), .at = *at};
    memcpy(c->name, p + *at + 4, 4);
    if (c->n > left - 12)
        return err_set(e, ERR_FORMAT,
                       "png: chunk %s at byte %zu: states %lu bytes, the file "
                       "has %zu more",
                       c->name, c->at, (unsigned long)c->n, left - 12);
    *at += 12 + (size_t)c->n;
    return 0;
}

static int check_crc(const struct crc *crc, const struct chunk *c,
                     struct err *e)
{
    const uint32_t is = word_be32(c->data + c->n),
                   should = crc_add(crc, 0, c->data - 4, (size_t)c->n + 4);

    if (is == should)
        return 0;
    return err_set(e, ERR_FORMAT,
                   "png: chunk %s at byte %zu: its CRC is %08lx, the data give "
                   "%08lx",
                   c->name, c->at, (unsigned long)is, (unsigned long)should);
}

static int depth_fits(int type, int depth)
{
    static const uint32_t depths[7] = {
        [GREY] = 1 << 1 | 1 << 2 | 1 << 4 | 1 << 8 | 1 << 16,
        [RGB] = 1 << 8 | 1 << 16,
        [PALETTE] = 1 << 1 | 1 << 2 | 1 << 4 | 1 << 8,
        [GREY_ALPHA] = 1 << 8 | 1 << 16,
        [RGB_ALPHA] = 1 << 8 | 1 << 16,
    };

    return type < 7 && depth < 32 && depths[type] >> depth & 1;
}

static int read_ihdr(struct png *g, const struct chunk *c, struct err *e)
{
    const uint8_t *d = c->data;

    if (g->w)
        return wrong(c, e, "a second one");
    if (c->n != 13)
        return wrong(c, e, "is not 13 bytes long");
    g->w = word_be32(d);
    g->h = word_be32(d + 4);
    g->depth = d[8];
    g->type = d[9];
    g->interlaced = d[12];
    if (!g->w || !g->h || g->w > INT32_MAX || g->h > INT32_MAX)
        return err_set(e, ERR_FORMAT,
                       "png: chunk IHDR at byte %zu: states a size of %lux%lu "
                       "pixels",
                       c->at, (unsigned long)g->w, (unsigned long)g->h);
    if (!depth_fits(g->type, g->depth))
        return err_set(e, ERR_FORMAT,
                       "png: chunk IHDR at byte %zu: no colour type %d with %d "
                       "bits",
                       c->at, g->type, g->depth);
    if (d[10] || d[11] || d[12] > 1)
        return wrong(c, e, "unknown compression, filter or interlacing");
    return 0;
}

static int read_plte(struct png *g, const struct chunk *c, struct err *e)
{
    if (g->plte)
        return wrong(c, e, "a second one");
    if (g->n_idat)
        return wrong(c, e, "stands behind the image data");
    if (g->type == GREY || g->type == GREY_ALPHA)
        return wrong(c, e, "a palette in a grey picture");
    if (!c->n || c->n % 3 || c->n > 768)
        return err_set(e, ERR_FORMAT,
                       "png: chunk PLTE at byte %zu: %lu bytes are not 1 to "
                       "256 colours",
                       c->at, (unsigned long)c->n);
    if (g->type == PALETTE && c->n / 3 > 1u << g->depth)
        return wrong(c, e, "has more colours than the depth allows");
    g->plte = c->data;
    g->n_plte = c->n / 3;
    return 0;
}

static int read_trns(struct png *g, const struct chunk *c, struct err *e)
{
    if (g->has_trns)
        return wrong(c, e, "a second one");
    if (g->n_idat || (g->type == PALETTE && !g->plte))
        return wrong(c, e, "stands in the wrong place");
    if (g->type == GREY_ALPHA || g->type == RGB_ALPHA)
        return wrong(c, e, "in a picture that has alpha");
    if (g->type == PALETTE ? c->n > g->n_plte
                           : c->n != (g->type == GREY ? 2u : 6u))
        return wrong(c, e, "its length does not fit the palette or type");
    g->has_trns = 1;
    return 0;
}

static int read_idat(struct png *g, const struct chunk *c, struct err *e)
{
    if (g->idat_over)
        return wrong(c, e, "apart from the others");
    if (g->type == PALETTE && !g->plte)
        return wrong(c, e, "no PLTE stands before it");
    if (!g->n_idat++)
        g->idat = c->data;
    g->idat_bytes += c->n;
    return 0;
}

static int read_exif(struct png *g, const struct chunk *c, struct err *e)
{
    (void)e;
    if (!g->exif) {
        g->exif = c->data;
        g->exif_n = c->n;
    }
    return 0;
}

static int read_iend(struct png *g, const struct chunk *c, struct err *e)
{
    if (!g->n_idat)
        return wrong(c, e, "there was no image data before it");
    return c->n ? wrong(c, e, "is not empty") : 0;
}

static int read_cgbi(struct png *g, const struct chunk *c, struct err *e)
{
    (void)g;
    return err_set(e, ERR_UNSUPPORTED,
                   "png: chunk CgBI at byte %zu: Apple's own variant; try: "
                   "pngcrush -revert-iphone-optimizations IN.png OUT.png",
                   c->at);
}

static int read_other(struct png *g, const struct chunk *c, struct err *e)
{
    (void)g;
    return c->name[0] >= 'a' ? 0
                             : wrong(c, e, "unknown, but said to be needed");
}

static int read_chunk(struct png *g, const struct chunk *c, struct err *e)
{
    static const struct {
        char name[5];
        int (*read)(struct png *, const struct chunk *, struct err *);
    } kind[] = {{"IHDR", read_ihdr}, {"PLTE", read_plte}, {"tRNS", read_trns},
                {"IDAT", read_idat}, {"eXIf", read_exif}, {"IEND", read_iend},
                {"CgBI", read_cgbi}, {"", read_other}};
    int i = 0;

    while (kind[i].name[0] && strcmp(kind[i].name, c->name))
        i++;
    if (!g->w && kind[i].read != read_ihdr && kind[i].read != read_cgbi)
        return wrong(c, e, "stands before IHDR");
    if (g->n_idat && kind[i].read != read_idat)
        g->idat_over = 1;
    return kind[i].read(g, c, e);
}

/* CRC may be NULL: sums are not looked at.  */
static int walk(struct png *g, const uint8_t *p, size_t n,
                const struct crc *crc, struct err *e)
{
    size_t at = 8;
    struct chunk c;

    *g = (struct png){0};
    if (n < 8 || memcmp(p, "\x89PNG\r\n\x1a\n", 8))
        return err_set(e, ERR_FORMAT,
                       "png: the signature is damaged: copied as text?");
    do
        if (next_chunk(&c, p, n, &at, e) < 0 ||
            (crc && check_crc(crc, &c, e) < 0) || read_chunk(g, &c, e) < 0)
            return -1;
    while (strcmp(c.name, "IEND"));
    return 0;
}

static void tell(struct codec_info *ci, const struct png *g)
{
    ci->w = g->w > INT32_MAX ? INT32_MAX : (int)g->w;
    ci->h = g->h > INT32_MAX ? INT32_MAX : (int)g->h;
    ci->orientation = g->exif ? exif_orientation(g->exif, g->exif_n) : 1;
}

static int info(struct codec_info *ci, const uint8_t *p, size_t n,
                struct err *e)
{
    struct png g;

    if (walk(&g, p, n, NULL, e) < 0)
        return -1;
    tell(ci, &g);
    return 0;
}

/* ---- pixels ---- */

/* Where the pixels of a pass lie: from X, Y in steps of DX, DY.  */
struct pass {
    uint8_t x, y, dx, dy;
};

static const struct pass whole[] = {{0, 0, 1, 1}};
static const struct pass adam7[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8},
                                    {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2},
                                    {0, 1, 1, 2}};

static int passes(const struct png *g, const struct pass **pass)
{
    *pass = g->interlaced ? adam7 : whole;
    return g->interlaced ? 7 : 1;
}

static size_t cells(uint32_t size, unsigned from, unsigned step)
{
    return size <= from ? 0 : (size - from + step - 1) / step;
}

static size_t pixel_bits(const struct png *g)
{
    static const uint8_t channels[7] = {[GREY] = 1,
                                        [RGB] = 3,
                                        [PALETTE] = 1,
                                        [GREY_ALPHA] = 2,
                                        [RGB_ALPHA] = 4};

    return (size_t)g->depth * channels[g->type];
}

static size_t row_bytes(const struct png *g, size_t w)
{
    return (w * pixel_bits(g) + 7) / 8;
}

static size_t raw_bytes(const struct png *g)
{
    const struct pass *pass;
    const int n = passes(g, &pass);
    size_t sum = 0;

    for (int i = 0; i < n; i++) {
        const size_t w = cells(g->w, pass[i].x, pass[i].dx),
                     h = cells(g->h, pass[i].y, pass[i].dy);

        if (w)
            sum += h * (1 + row_bytes(g, w));
    }
    return sum;
}

static void filter_none(uint8_t *row, const uint8_t *up, size_t n, size_t bpp)
{
    (void)row, (void)up, (void)n, (void)bpp;
}

static void filter_sub(uint8_t *row, const uint8_t *up, size_t n, size_t bpp)
{
    (void)up;
    for (size_t i = bpp; i < n; i++)
        row[i] = (uint8_t)(row[i] + row[i - bpp]);
}

static void filter_up(uint8_t *row, const uint8_t *up, size_t n, size_t bpp)
{
    (void)bpp;
    for (size_t i = 0; i < n; i++)
        row[i] = (uint8_t)(row[i] + up[i]);
}

static void filter_mean(uint8_t *row, const uint8_t *up, size_t n, size_t bpp)
{
    for (size_t i = 0; i < bpp && i < n; i++)
        row[i] = (uint8_t)(row[i] + up[i] / 2);
    for (size_t i = bpp; i < n; i++)
        row[i] = (uint8_t)(row[i] + (row[i - bpp] + up[i]) / 2);
}

static int paeth(int a, int b, int c)
{
    const int pa = abs(b - c), pb = abs(a - c), pc = abs(a + b - 2 * c);

    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

static void filter_paeth(uint8_t *row, const uint8_t *up, size_t n, size_t bpp)
{
    for (size_t i = 0; i < bpp && i < n; i++)
        row[i] = (uint8_t)(row[i] + up[i]);
    for (size_t i = bpp; i < n; i++)
        row[i] = (uint8_t)(row[i] + paeth(row[i - bpp], up[i], up[i - bpp]));
}

/* One byte a pixel from DEPTH bits a pixel, times SCALE.  */
static void unpack(uint8_t *to, const uint8_t *row, size_t w, int depth,
                   int scale)
{
    const unsigned per = 8 / (unsigned)depth, mask = (1u << depth) - 1;

    for (size_t x = 0; x < w; x++) {
        const unsigned shift =
            8 - (unsigned)depth - (unsigned)depth * (unsigned)(x % per);

        to[x] = (uint8_t)((row[x / per] >> shift & mask) * (unsigned)scale);
    }
}

static void put_plain(uint8_t *to, size_t step, const uint8_t *s, size_t w,
                      size_t pixel, size_t next)
{
    for (size_t x = 0; x < w; x++, to += step, s += pixel) {
        to[0] = s[0];
        to[1] = s[next];
        to[2] = s[2 * next];
    }
}

/* Returns the first index beyond the palette, or -1.  */
static int put_palette(uint8_t *to, size_t step, const uint8_t *s, size_t w,
                       const struct png *g)
{
    for (size_t x = 0; x < w; x++, to += step) {
        if (s[x] >= g->n_plte)
            return s[x];
        memcpy(to, g->plte + 3 * s[x], 3);
    }
    return -1;
}

/* The W pixels of ROW to every STEPth byte from TO; LINE is room for W
 * bytes.  Of 16 bits the high byte is taken, alpha is passed over.  */
static int put_row(uint8_t *to, size_t step, const uint8_t *row, size_t w,
                   uint8_t *line, const struct png *g)
{
    const size_t sample = g->depth == 16 ? 2 : 1;

    if (g->depth < 8) {
        unpack(line, row, w, g->depth,
               g->type == GREY ? 255 / ((1 << g->depth) - 1) : 1);
        row = line;
    }
    if (g->type == PALETTE)
        return put_palette(to, step, row, w, g);
    put_plain(to, step, row, w, g->depth < 8 ? 1 : pixel_bits(g) / 8,
              g->type & RGB ? sample : 0);
    return -1;
}

/* Unfilter and place the rows of one pass; ROOM is a row of zeros of the whole
 * width, then a row to unpack into.  Returns the bytes used of RAW, 0 on
 * error.  */
static size_t put_pass(struct image *im, uint8_t *raw, const struct pass *q,
                       uint8_t *room, const struct png *g, struct err *e)
{
    static void (*const filter[5])(uint8_t *, const uint8_t *, size_t,
                                   size_t) = {
        filter_none, filter_sub, filter_up, filter_mean, filter_paeth};
    const size_t w = cells(g->w, q->x, q->dx), h = cells(g->h, q->y, q->dy),
                 n = row_bytes(g, w), bpp = (pixel_bits(g) + 7) / 8;
    uint8_t *line = room + row_bytes(g, g->w);
    const uint8_t *up = room;

    for (size_t i = 0; i < h; i++, raw += n + 1) {
        const size_t y = q->y + i * q->dy;
        int index;

        if (raw[0] > 4) {
            err_set(e, ERR_FORMAT, "png: row %zu: no filter %d", y, raw[0]);
            return 0;
        }
        filter[raw[0]](raw + 1, up, n, bpp);
        up = raw + 1;
        index = put_row(im->rgb + (y * g->w + q->x) * 3, (size_t)q->dx * 3, up,
                        w, line, g);
        if (index >= 0) {
            err_set(e, ERR_FORMAT, "png: row %zu: colour %d in a palette of %u",
                    y, index, g->n_plte);
            return 0;
        }
    }
    return h * (n + 1);
}

static int put_all(struct image *im, uint8_t *raw, const struct png *g,
                   struct err *e)
{
    const struct pass *pass;
    const int n = passes(g, &pass);
    uint8_t *room = calloc(row_bytes(g, g->w) + g->w, 1);
    int r = room ? 0 : err_set(e, ERR_NOMEM, "png: out of memory");

    for (int i = 0; i < n && !r; i++) {
        size_t used;

        if (!cells(g->w, pass[i].x, pass[i].dx) ||
            !cells(g->h, pass[i].y, pass[i].dy))
            continue;
        used = put_pass(im, raw, &pass[i], room, g, e);
        raw += used;
        r = used ? 0 : -1;
    }
    free(room);
    return r;
}

/* Join the data of the image chunks, which stand in a row.  */
static uint8_t *join(const struct png *g)
{
    uint8_t *all = malloc(g->idat_bytes + 1), *to = all;
    const uint8_t *from = g->idat;

    for (int i = 0; all && i < g->n_idat; i++) {
        const size_t n = word_be32(from - 8);

        memcpy(to, from, n);
        to += n;
        from += n + 12;
    }
    return all;
}

static int unpack_idat(uint8_t *raw, size_t raw_n, const struct png *g,
                       struct err *e)
{
    uint8_t *all = g->n_idat > 1 ? join(g) : NULL;
    int r;

    if (g->n_idat > 1 && !all)
        return err_set(e, ERR_NOMEM, "png: out of memory");
    r = inflate_zlib(raw, raw_n, all ? all : g->idat, g->idat_bytes, e);
    free(all);
    return r < 0 ? err_in(e, "png: image data") : 0;
}

static int pixels(struct image *im, const struct png *g, struct err *e)
{
    const size_t n = raw_bytes(g);
    uint8_t *raw;
    int r;

    /* deflate gives at most 258 bytes for two bits: said before memory is
     * taken */
    if (n / 1032 > g->idat_bytes)
        return err_set(e, ERR_FORMAT,
                       "png: %zu bytes of image data cannot hold %lux%lu "
                       "pixels",
                       g->idat_bytes, (unsigned long)g->w, (unsigned long)g->h);
    raw = malloc(n);
    if (!raw)
        return err_set(e, ERR_NOMEM, "png: out of memory for %zu bytes", n);
    r = unpack_idat(raw, n, g, e);
    if (!r)
        r = image_new(im, (int)g->w, (int)g->h, e);
    if (!r)
        r = put_all(im, raw, g, e);
    free(raw);
    return r;
}

static int decode(struct image *im, struct codec_info *ci, const uint8_t *p,
                  size_t n, const struct codec_opts *o, struct err *e)
{
    struct png g;
    struct crc crc;

    crc_init(&crc);
    if (walk(&g, p, n, &crc, e) < 0 ||
        codec_check_size("png", g.w, g.h, o, e) < 0)
        return -1;
    tell(ci, &g);
    if (pixels(im, &g, e) == 0)
        return 0;
    image_release(im);
    return -1;
}

static size_t end(const uint8_t *p, size_t n)
{
    struct chunk c = {0};
    struct err unsaid = {0};
    size_t at = 8; /* behind the signature */

    while (n > at && next_chunk(&c, p, n, &at, &unsaid) == 0)
        if (!strcmp(c.name, "IEND"))
            return at;
    return n;
}

const struct format png_format = {"png", sniff, info, decode, end};
