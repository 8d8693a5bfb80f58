/* codec.c -- see codec.h.
 * SPDX-License-Identifier: MIT  */
#include "image/codec.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/stream.h"
#include "image/format.h"
#include "image/geometry.h"
#include "image/jpeg.h"
#include "image/stb.h"

static const struct format *const formats[] = {&jpeg_format, &png_format,
                                               &bmp_format, &pnm_format};

/* What people have lying about, by its first bytes, and what to do with it.  */
/* clang-format off */
static const struct refused {
    unsigned at, n;
    const char *magic, *what, *advice;
} refused[] = {
    {0, 4, "GIF8",             "a GIF",       "magick 'IN.gif[0]' OUT.png"},
    {0, 4, "II*\0",            "a TIFF",      "magick 'IN.tif[0]' OUT.png"},
    {0, 4, "MM\0*",            "a TIFF",      "magick 'IN.tif[0]' OUT.png"},
    {8, 4, "WEBP",             "a WebP",      "dwebp IN.webp -o OUT.png"},
    {4, 8, "ftypheic",         "a HEIC",      "heif-convert IN.heic OUT.png"},
    {4, 8, "ftypheix",         "a HEIC",      "heif-convert IN.heic OUT.png"},
    {4, 8, "ftypmif1",         "a HEIC",      "heif-convert IN.heic OUT.png"},
    {4, 8, "ftypmsf1",         "a HEIC",      "heif-convert IN.heic OUT.png"},
    {4, 8, "ftypavif",         "an AVIF",     "avifdec IN.avif OUT.png"},
    {4, 8, "ftypavis",         "an AVIF",     "avifdec IN.avif OUT.png"},
    {0, 4, "8BPS",             "a PSD",       "magick 'IN.psd[0]' OUT.png"},
    {0, 4, "\0\0\1\0",         "an ICO",      "magick 'IN.ico[0]' OUT.png"},
    {0, 5, "%PDF-",            "a PDF",       "pdftoppm -png IN.pdf OUT"},
    {4, 8, "jP  \r\n\x87\n",   "a JPEG 2000", "opj_decompress -i IN.jp2 -o OUT.png"},
    {0, 4, "\xff\x4f\xff\x51", "a JPEG 2000", "opj_decompress -i IN.j2k -o OUT.png"},
    {0, 2, "\xff\x0a",         "a JPEG XL",   "djxl IN.jxl OUT.png"},
    {4, 8, "JXL \r\n\x87\n",   "a JPEG XL",   "djxl IN.jxl OUT.png"},
    {0, 2, "P7",               "a PAM",       "pamtopnm IN.pam > OUT.ppm"},
    {0, 2, "\x1f\x8b",         "gzip data",   "gunzip IN.gz"},
    {0, 4, "PK\3\4",           "a ZIP",       "unzip IN.zip"},
    {0, 6, "\xfd" "7zXZ",      "xz data",     "unxz IN.xz"},
    {0, 4, "\x28\xb5\x2f\xfd", "zstd data",   "unzstd IN.zst"},
    {0, 23, "version https://git-lfs", "a Git LFS pointer", "git lfs pull"},
};
/* clang-format on */

static int refuse(const char *what, const char *advice, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED,
                   "is %s, not a picture that is read here; try: %s", what,
                   advice);
}

/* The text TEXT (lower case) stands at P, in any case.  */
static int has_text(const uint8_t *p, size_t n, const char *text)
{
    const size_t k = strlen(text);

    if (n < k)
        return 0;
    for (size_t i = 0; i < k; i++)
        if (tolower(p[i]) != text[i])
            return 0;
    return 1;
}

static int find_text(const uint8_t *p, size_t n, const char *text)
{
    for (size_t i = 0; i < n && i < 4096; i++)
        if (has_text(p + i, n - i, text))
            return 1;
    return 0;
}

/* Pages and drawings: text that begins with '<', perhaps after a byte order
 * mark and blanks.  */
static int refuse_markup(const uint8_t *p, size_t n, struct err *e)
{
    size_t i = n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3) ? 3 : 0;

    while (i < n && isspace(p[i]))
        i++;
    if (i == n || p[i] != '<')
        return 0;
    if (find_text(p + i, n - i, "<svg"))
        return refuse("an SVG", "rsvg-convert IN.svg -o OUT.png", e);
    if (find_text(p + i, n - i, "<html") ||
        has_text(p + i, n - i, "<!doctype html"))
        return refuse("an HTML page", "look at it: a download that failed?", e);
    return 0;
}

static int is_tga(const uint8_t *p, size_t n)
{
    return n >= 44 && !memcmp(p + n - 18, "TRUEVISION-XFILE.", 17);
}

static int refuse_unknown(const uint8_t *p, size_t n, struct err *e)
{
    char hex[3 * 8 + 1] = "";

    for (size_t i = 0; i < n && i < 8; i++)
        snprintf(hex + 3 * i, 4, " %02x", p[i]);
    return err_set(e, ERR_FORMAT,
                   "is no picture (JPEG, PNG, BMP, PNM): begins with%s", hex);
}

static const struct refused *find_refused(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        const struct refused *r = &refused[i];

        if (n >= r->at + r->n && !memcmp(p + r->at, r->magic, r->n))
            return r;
    }
    return NULL;
}

static int refuse_by_name(const uint8_t *p, size_t n, struct err *e)
{
    const struct refused *r = find_refused(p, n);

    if (!n)
        return err_set(e, ERR_FORMAT, "is empty (0 bytes)");
    if (r)
        return refuse(r->what, r->advice, e);
    if (refuse_markup(p, n, e) < 0)
        return -1;
    if (is_tga(p, n))
        return refuse("a TGA", "magick IN.tga OUT.png", e);
    return refuse_unknown(p, n, e);
}

static const struct format *known(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < COUNT(formats); i++)
        if (formats[i]->sniff(p, n))
            return formats[i];
    return NULL;
}

int codec_sniff(const uint8_t *p, size_t n)
{
    return known(p, n) || find_refused(p, n);
}

size_t codec_second(const uint8_t *p, size_t n)
{
    const struct format *f = known(p, n);
    const size_t at = f ? f->end(p, n) : n;

    return at < n && known(p + at, n - at) ? at : 0;
}

static const struct format *find(const uint8_t *p, size_t n, struct err *e)
{
    const struct format *f = known(p, n);

    if (f)
        return f;
    refuse_by_name(p, n, e);
    return NULL;
}

int codec_check_size(const char *name, int64_t w, int64_t h,
                     const struct codec_opts *o, struct err *e)
{
    const int64_t max = o->max_pixels > 0 ? o->max_pixels : CODEC_MAX_PIXELS;

    if (w < 1 || h < 1)
        return err_set(e, ERR_FORMAT, "%s: states a size of %lldx%lld pixels",
                       name, (long long)w, (long long)h);
    if (w > IMAGE_SIDE || h > IMAGE_SIDE)
        return err_set(e, ERR_UNSUPPORTED,
                       "%s: %lldx%lld pixels: sides above %d are not read",
                       name, (long long)w, (long long)h, IMAGE_SIDE);
    if (w * h > max)
        return err_set(e, ERR_UNSUPPORTED,
                       "%s: %lldx%lld pixels are more than the limit of %lld",
                       name, (long long)w, (long long)h, (long long)max);
    return 0;
}

int codec_info(struct codec_info *ci, const uint8_t *p, size_t n, struct err *e)
{
    const struct format *f = find(p, n, e);

    *ci = (struct codec_info){.orientation = 1};
    if (!f)
        return -1;
    ci->format = f->name;
    return f->info(ci, p, n, e);
}

int codec_decode(struct image *im, const uint8_t *p, size_t n,
                 const struct codec_opts *o, struct err *e)
{
    static const struct codec_opts none;
    struct codec_info ci = {.orientation = 1};
    const struct format *f = find(p, n, e);

    *im = (struct image){0};
    if (!o)
        o = &none;
    if (!f || f->decode(im, &ci, p, n, o, e) < 0)
        return -1;
    if (o->exif && geometry_orient(im, ci.orientation, e) < 0) {
        image_release(im);
        return -1;
    }
    return codec_cut(im, o, e);
}

int codec_cut(struct image *im, const struct codec_opts *o, struct err *e)
{
    static const uint8_t none[3];
    struct codec_part *k = o ? o->part : NULL;
    struct image to;
    int r;

    if (!k || k->full_w)
        return 0;
    k->full_w = im->w;
    k->full_h = im->h;
    k->choose(k, im->w, im->h);
    k->box = (struct box){0, 0, k->w, k->h};
    if (k->w == im->w && k->h == im->h)
        return 0;
    r = geometry_crop(&to, im, k->x, k->y, k->w, k->h, none, e);
    image_release(im);
    *im = to;
    return r;
}

int codec_read(struct image *im, const char *path, const struct codec_opts *o,
               struct err *e)
{
    struct bytes b;
    int r;

    *im = (struct image){0};
    if (bytes_read(&b, path, CODEC_MAX_BYTES, e) < 0)
        return -1;
    r = codec_decode(im, b.data, b.n, o, e);
    bytes_release(&b);
    return r < 0 ? err_in(e, "'%s'", Q(path)) : 0;
}

uint8_t *codec_png(const struct image *im, size_t *n, struct err *e)
{
    return stb_png(im, n, e);
}

int codec_write_png(const struct image *im, struct out *o, struct err *e)
{
    size_t n;
    uint8_t *p = stb_png(im, &n, e);
    int r;

    if (!p)
        return -1;
    r = out_write(o, p, n, e);
    free(p);
    return r;
}

/* ---- for the fuzz tests ---- */

static void small(struct codec_part *p, int w, int h)
{
    p->w = w;
    p->h = h;
    p->min_w = p->min_h = 8;
}

static void middle(struct codec_part *p, int w, int h)
{
    p->x = w / 3;
    p->y = h / 3;
    p->w = (w + 2) / 3;
    p->h = (h + 2) / 3;
}

static int decode_part(struct image *im, struct codec_part *part,
                       const uint8_t *p, size_t n)
{
    const struct codec_opts o = {
        .exif = 1, .max_pixels = 1 << 20, .part = part};
    struct err e = {0};

    return codec_decode(im, p, n, &o, &e);
}

/* What is good as a whole is so in part, and the same there.  */
static void fuzz_parts(const struct image *all, const uint8_t *p, size_t n)
{
    static const uint8_t none[3];
    struct codec_part fast = {.choose = small}, part = {.choose = middle};
    const int good = all->rgb != NULL;
    struct image im, cut;
    struct err e = {0};

    if ((decode_part(&im, &fast, p, n) == 0) != good)
        BUG("a picture was good or bad at another scale only");
    image_release(&im);
    if (decode_part(&im, &part, p, n) < 0 && good)
        BUG("a part of a good picture was refused");
    if (good && geometry_crop(&cut, all, part.x, part.y, part.w, part.h, none,
                              &e) == 0) {
        if (im.w != cut.w || im.h != cut.h ||
            memcmp(im.rgb, cut.rgb, 3 * (size_t)im.w * (size_t)im.h))
            BUG("a part of a picture has other pixels");
        image_release(&cut);
    }
    image_release(&im);
}

int fuzz_image(const uint8_t *p, size_t n)
{
    struct codec_info ci;
    struct image im;
    struct err e = {0};
    const struct codec_opts o = {.exif = 1, .max_pixels = 1 << 20};
    int r;

    if (codec_info(&ci, p, n, &e) < 0 && !e.msg[0])
        BUG("a picture's header was refused without a word");
    e = (struct err){0};
    r = codec_decode(&im, p, n, &o, &e);
    if (r < 0 && (!e.msg[0] || im.rgb))
        BUG("a picture was refused without a word or left pixels");
    if (codec_sniff(p, n) && codec_second(p, n) >= n && n)
        BUG("a second picture begins behind the bytes");
    fuzz_parts(&im, p, n);
    image_release(&im);
    return r;
}
