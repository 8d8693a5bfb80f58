/* jpeg.c -- the segments of a JPEG (ITU T.81), before any library sees it.
 * SPDX-License-Identifier: MIT
 *
 * Read here: baseline, extended sequential and progressive Huffman coding of
 * 8 bits with 1, 3 or 4 components.  What is sound but other is refused by
 * name.  Every segment must lie inside the file and the end marker must be
 * there, so a file that was cut is refused without decoding it; a size that
 * the coded data cannot fill is refused before memory is taken.  What
 * follows the end marker (a second picture, a video) is not looked at.  */
#include "image/jpeg.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/word.h"
#include "image/codec.h"
#include "image/exif.h"
#include "image/format.h"
#include "image/geometry.h"
#include "image/image.h"

enum {
    SOF0 = 0xc0,
    SOF2 = 0xc2,
    DHT = 0xc4,
    JPG = 0xc8,
    DAC = 0xcc,
    SOF15 = 0xcf,
    RST0 = 0xd0,
    RST7 = 0xd7,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    DQT = 0xdb,
    DRI = 0xdd,
    DHP = 0xde,
    EXP = 0xdf,
    APP1 = 0xe1,
    APP2 = 0xe2,
    APP14 = 0xee,
    TEM = 0x01
};

struct walk {
    struct jpeg_info *ji;
    const uint8_t *p;
    size_t n, at;
    int progressive;
    unsigned quant, codes[2]; /* tables that are there; codes: DC, AC */
    unsigned want;            /* of quantisation, by the frame */
    struct err *e;
};

/* A segment without marker and length.  */
struct segment {
    int marker;
    size_t at; /* of the marker */
    const uint8_t *data;
    size_t n;
};

static int sniff(const uint8_t *p, size_t n)
{
    return n >= 2 && p[0] == 0xff && p[1] == SOI;
}

static int wrong(const struct walk *k, const struct segment *s, const char *why)
{
    return err_set(k->e, ERR_FORMAT, "jpeg: segment ff%02x at byte %zu: %s",
                   (unsigned)s->marker, s->at, why);
}

static int refuse(const struct walk *k, const struct segment *s,
                  const char *what)
{
    return err_set(k->e, ERR_UNSUPPORTED,
                   "jpeg: segment ff%02x at byte %zu: %s; try: magick IN.jpg "
                   "OUT.png",
                   (unsigned)s->marker, s->at, what);
}

static int cut(const struct walk *k)
{
    return err_set(k->e, ERR_FORMAT,
                   "jpeg: ends at byte %zu, without the end marker", k->n);
}

static const char *other_kind(int marker)
{
    static const char *const name[16] = {
        [3] = "lossless coding is not read",
        [5] = "hierarchical coding is not read",
        [6] = "hierarchical coding is not read",
        [7] = "hierarchical coding is not read",
        [9] = "arithmetic coding is not read",
        [10] = "arithmetic coding is not read",
        [11] = "lossless coding is not read",
        [13] = "hierarchical coding is not read",
        [14] = "hierarchical coding is not read",
        [15] = "hierarchical coding is not read",
    };

    return name[marker & 15];
}

static int read_components(struct walk *k, const struct segment *s)
{
    struct jpeg_info *ji = k->ji;

    ji->hmax = ji->vmax = 1;
    for (int i = 0; i < ji->components; i++) {
        const uint8_t *c = s->data + 6 + 3 * i;
        const int h = c[1] >> 4, v = c[1] & 15;

        if (h < 1 || h > 4 || v < 1 || v > 4)
            return wrong(k, s, "a sampling factor is not 1 to 4");
        if (c[2] > 3)
            return wrong(k, s, "a quantisation table above 3");
        k->want |= 1u << c[2];
        ji->hmax = h > ji->hmax ? h : ji->hmax;
        ji->vmax = v > ji->vmax ? v : ji->vmax;
    }
    return 0;
}

static int read_sof(struct walk *k, const struct segment *s)
{
    struct jpeg_info *ji = k->ji;

    if (other_kind(s->marker))
        return refuse(k, s, other_kind(s->marker));
    if (ji->components)
        return wrong(k, s, "a second frame");
    if (s->n < 6 || s->n != 6 + 3 * (size_t)s->data[5])
        return wrong(k, s, "its length does not fit its components");
    if (s->data[0] != 8)
        return refuse(k, s, "only 8 bits a sample are read");
    ji->h = (int)word_be16(s->data + 1);
    ji->w = (int)word_be16(s->data + 3);
    ji->components = s->data[5];
    k->progressive = s->marker == SOF2;
    if (!ji->w)
        return wrong(k, s, "a width of 0");
    if (!ji->h)
        return refuse(k, s, "a height that follows later (DNL) is not read");
    if (ji->components != 1 && ji->components != 3 && ji->components != 4)
        return refuse(k, s, "only 1, 3 or 4 components are read");
    return read_components(k, s);
}

/* A table of code lengths: 1 byte for its place, 16 counts, the symbols.  */
static int read_dht(struct walk *k, const struct segment *s)
{
    for (size_t i = 0; i < s->n;) {
        size_t sum = 0;
        int left = 1;

        if (s->n - i < 17)
            return wrong(k, s, "a table of codes is cut");
        if (s->data[i] & 0xec)
            return wrong(k, s, "a table of codes has no such place");
        for (int l = 1; l <= 16; l++) {
            left = 2 * left - s->data[i + (size_t)l];
            sum += s->data[i + (size_t)l];
            if (left < 0)
                return wrong(k, s, "a table of codes is over-full");
        }
        if (sum > 256 || sum > s->n - i - 17)
            return wrong(k, s, "a table of codes runs past the segment");
        k->codes[s->data[i] >> 4] |= 1u << (s->data[i] & 3);
        i += 17 + sum;
    }
    return 0;
}

static int read_dqt(struct walk *k, const struct segment *s)
{
    for (size_t i = 0; i < s->n;) {
        const unsigned wide = s->data[i] >> 4;

        if (wide > 1 || (s->data[i] & 15) > 3)
            return wrong(k, s, "a quantisation table has no such place");
        if (s->n - i < 1 + 64 * (1 + (size_t)wide))
            return wrong(k, s, "a quantisation table is cut");
        k->quant |= 1u << (s->data[i] & 15);
        i += 1 + 64 * (1 + (size_t)wide);
    }
    return 0;
}

static int read_dri(struct walk *k, const struct segment *s)
{
    return s->n == 2 ? 0 : wrong(k, s, "is not 4 bytes long");
}

static int read_app1(struct walk *k, const struct segment *s)
{
    if (!k->ji->exif && s->n >= 6 && !memcmp(s->data, "Exif\0", 6)) {
        k->ji->exif = s->data + 6;
        k->ji->exif_n = s->n - 6;
    }
    return 0;
}

static int read_app2(struct walk *k, const struct segment *s)
{
    k->ji->several |= s->n >= 4 && !memcmp(s->data, "MPF", 4);
    return 0;
}

static int read_app14(struct walk *k, const struct segment *s)
{
    k->ji->adobe |= s->n >= 12 && !memcmp(s->data, "Adobe", 5);
    return 0;
}

static int read_refused(struct walk *k, const struct segment *s)
{
    return refuse(k, s, s->marker == DAC ? other_kind(0xc9) : other_kind(0xc5));
}

/* Frames of Motion JPEG leave the usual tables out, and some readers know
 * them.  Of a progressive frame a scan codes either means or the rest, and
 * refines means without a table.  */
static int is_bare(const struct walk *k, const struct segment *s)
{
    const uint8_t *range = s->data + 1 + 2 * (size_t)s->data[0];
    const int dc = !k->progressive || (!range[0] && !(range[2] >> 4)),
              ac = !k->progressive || range[0];
    int bare = (k->want & ~k->quant) != 0;

    for (int i = 0; i < s->data[0]; i++) {
        const int place = s->data[2 + 2 * i];

        bare |= dc && !(k->codes[0] >> (place >> 4) & 1);
        bare |= ac && !(k->codes[1] >> (place & 15) & 1);
    }
    return bare;
}

static int read_sos(struct walk *k, const struct segment *s)
{
    if (!k->ji->components)
        return wrong(k, s, "a scan before the frame");
    if (s->n < 1 || s->n != 4 + 2 * (size_t)s->data[0])
        return wrong(k, s, "its length does not fit its components");
    if (++k->ji->scans > JPEG_SCANS)
        return err_set(k->e, ERR_UNSUPPORTED,
                       "jpeg: segment ff%02x at byte %zu: more than %d scans "
                       "are not read",
                       SOS, s->at, JPEG_SCANS);
    k->ji->bare |= is_bare(k, s);
    return 0;
}

static int read_segment(struct walk *k, const struct segment *s)
{
    static const struct {
        int marker;
        int (*read)(struct walk *, const struct segment *);
    } kind[] = {{DHT, read_dht},     {DQT, read_dqt},     {DRI, read_dri},
                {SOS, read_sos},     {APP1, read_app1},   {APP2, read_app2},
                {APP14, read_app14}, {DAC, read_refused}, {DHP, read_refused},
                {EXP, read_refused}};

    for (size_t i = 0; i < COUNT(kind); i++)
        if (kind[i].marker == s->marker)
            return kind[i].read(k, s);
    if (s->marker >= SOF0 && s->marker <= SOF15 && s->marker != JPG)
        return read_sof(k, s);
    return 0;
}

/* Stand behind the marker that follows; its code, or -1.  */
static int next_marker(struct walk *k)
{
    if (k->at < k->n && k->p[k->at] != 0xff)
        return err_set(k->e, ERR_FORMAT,
                       "jpeg: %02x at byte %zu, where a segment should begin",
                       k->p[k->at], k->at);
    while (k->at < k->n && k->p[k->at] == 0xff)
        k->at++;
    return k->at < k->n ? k->p[k->at++] : cut(k);
}

static int next_segment(struct walk *k, struct segment *s)
{
    size_t n;

    s->marker = next_marker(k);
    s->at = k->at - 2;
    s->data = NULL;
    s->n = 0;
    if (s->marker < 0)
        return -1;
    if (s->marker == EOI || s->marker == TEM ||
        (s->marker >= RST0 && s->marker <= RST7))
        return 0;
    if (s->marker < SOF0 || s->marker == SOI)
        return wrong(k, s, "no marker that may stand here");
    if (k->n - k->at < 2)
        return cut(k);
    n = word_be16(k->p + k->at);
    if (n < 2)
        return wrong(k, s, "its length is below 2");
    if (n > k->n - k->at)
        return err_set(k->e, ERR_FORMAT,
                       "jpeg: segment ff%02x at byte %zu: states %zu bytes, "
                       "the file has %zu more",
                       (unsigned)s->marker, s->at, n, k->n - k->at);
    s->data = k->p + k->at + 2;
    s->n = n - 2;
    k->at += n;
    return 0;
}

/* Step over coded data, in which ff00 is a byte and restarts may stand, to
 * the next marker.  */
static void skip_coded(struct walk *k)
{
    const size_t from = k->at;

    while (k->at < k->n) {
        const uint8_t *f = memchr(k->p + k->at, 0xff, k->n - k->at);

        k->at = f ? (size_t)(f - k->p) : k->n;
        if (k->n - k->at < 2)
            break;
        if (f[1] && (f[1] < RST0 || f[1] > RST7))
            break;
        k->at += 2;
    }
    k->ji->coded += k->at - from;
}

static int walk(struct jpeg_info *ji, const uint8_t *p, size_t n, int whole,
                struct err *e)
{
    struct walk k = {.ji = ji, .p = p, .n = n, .at = 2, .e = e};
    struct segment s;

    *ji = (struct jpeg_info){0};
    do {
        if (next_segment(&k, &s) < 0 || read_segment(&k, &s) < 0)
            return -1;
        if (s.marker != SOS)
            continue;
        if (!whole)
            return 0;
        skip_coded(&k);
    } while (s.marker != EOI);
    ji->end = k.at;
    return ji->scans ? 0 : wrong(&k, &s, "the end, before any picture");
}

static void tell(struct codec_info *ci, const struct jpeg_info *ji)
{
    ci->w = ji->w;
    ci->h = ji->h;
    ci->orientation = ji->exif ? exif_orientation(ji->exif, ji->exif_n) : 1;
}

static int info(struct codec_info *ci, const uint8_t *p, size_t n,
                struct err *e)
{
    struct jpeg_info ji;

    if (walk(&ji, p, n, 0, e) < 0)
        return -1;
    tell(ci, &ji);
    return 0;
}

static size_t units(const struct jpeg_info *ji)
{
    const size_t x = (size_t)8 * (size_t)ji->hmax,
                 y = (size_t)8 * (size_t)ji->vmax;

    return (((size_t)ji->w + x - 1) / x) * (((size_t)ji->h + y - 1) / y);
}

/* Whatever the scans are, there is one that codes each block's mean, with at
 * least a bit for each: so many pixels need so many bytes.  And each scan
 * visits each block, however little it says about it.  */
static int check_work(const struct jpeg_info *ji, struct err *e)
{
    enum { VISITS = 1 << 26 }; /* a few seconds */

    if (units(ji) / 8 > ji->coded)
        return err_set(e, ERR_FORMAT,
                       "jpeg: %zu bytes of coded data cannot hold %dx%d pixels",
                       ji->coded, ji->w, ji->h);
    if (units(ji) > VISITS / (size_t)ji->scans)
        return err_set(e, ERR_UNSUPPORTED,
                       "jpeg: %d scans over %dx%d pixels would take too long",
                       ji->scans, ji->w, ji->h);
    return 0;
}

/* The largest of 8 4 2 1 by which the sides of the part may be divided so
 * that it keeps the size that is asked for.  Of a whole picture, Pillow's
 * draft() has the same rule.  */
static int denominator(const struct codec_part *k)
{
    int d = 8;

    if (k->min_w < 1 || k->min_h < 1)
        return 1;
    while (d > 1 && (k->w / d < k->min_w || k->h / d < k->min_h))
        d /= 2;
    return d;
}

/* Ask which part is wanted, of the picture as it stands upright.  */
static struct jpeg_part ask(const struct codec_info *ci, struct codec_part *k,
                            int orientation)
{
    const int turned = orientation >= 5;
    struct box b;

    k->full_w = turned ? ci->h : ci->w;
    k->full_h = turned ? ci->w : ci->h;
    k->choose(k, k->full_w, k->full_h);
    b = (struct box){k->x, k->y, k->w, k->h};
    geometry_orient_box(&b, k->full_w, k->full_h, orientation, 1);
    return (struct jpeg_part){(int)b.x, (int)b.y, (int)b.w, (int)b.h,
                              denominator(k)};
}

/* Where part K will lie in IM once that stands upright.  */
static void answer(struct codec_part *k, const struct jpeg_part *part,
                   const struct image *im, int orientation)
{
    const double d = part->denom;

    k->box = (struct box){part->x / d - part->x / part->denom,
                          part->y / d - part->y / part->denom, part->w / d,
                          part->h / d};
    geometry_orient_box(&k->box, im->w, im->h, orientation, 0);
}

static int decode(struct image *im, struct codec_info *ci, const uint8_t *p,
                  size_t n, const struct codec_opts *o, struct err *e)
{
    struct jpeg_info ji;
    struct jpeg_part part;
    int orientation;

    if (walk(&ji, p, n, 1, e) < 0 ||
        codec_check_size("jpeg", ji.w, ji.h, o, e) < 0 ||
        check_work(&ji, e) < 0)
        return -1;
    tell(ci, &ji);
    orientation = o->exif ? ci->orientation : 1;
    part = o->part ? ask(ci, o->part, orientation)
                   : (struct jpeg_part){0, 0, ji.w, ji.h, 1};
    if (jpeg_decode(im, &ji, p, n, &part, e) < 0)
        return -1;
    if (o->part)
        answer(o->part, &part, im, orientation);
    return 0;
}

static size_t end(const uint8_t *p, size_t n)
{
    struct jpeg_info ji;
    struct err unsaid = {0};

    return walk(&ji, p, n, 1, &unsaid) < 0 || ji.several ? n : ji.end;
}

const struct format jpeg_format = {"jpeg", sniff, info, decode, end};
