/* jpeg_turbo.c -- JPEG by libjpeg-turbo, with the pixels that Pillow gives.
 * SPDX-License-Identifier: MIT
 *
 * Compiled with banned.h switched off (Makefile), for a macro in jerror.h
 * that is not used.  */
#include "image/jpeg.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "base/err.h"
#include "image/image.h"

/* All that lives across longjmp() is in one of these, never in a local.  */
struct job {
    union {
        struct jpeg_common_struct common;
        struct jpeg_decompress_struct in;
        struct jpeg_compress_struct out;
    } c;
    struct jpeg_error_mgr mgr;
    struct jpeg_progress_mgr progress;
    struct err *e;
    unsigned char *mem; /* of the encoder */
    unsigned long mem_n;
    jmp_buf back;
};

static enum err_code code_of(int msg)
{
    static const int unsupported[] = {JERR_ARITH_NOTIMPL,
                                      JERR_CCIR601_NOTIMPL,
                                      JERR_CONVERSION_NOTIMPL,
                                      JERR_FRACT_SAMPLE_NOTIMPL,
                                      JERR_NOTIMPL,
                                      JERR_NOT_COMPILED,
                                      JERR_SOF_UNSUPPORTED};

    if (msg == JERR_OUT_OF_MEMORY)
        return ERR_NOMEM;
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
        if (msg == unsupported[i])
            return ERR_UNSUPPORTED;
    return ERR_FORMAT;
}

static void fail(j_common_ptr c)
{
    struct job *j = c->client_data;
    char text[JMSG_LENGTH_MAX];

    c->err->format_message(c, text);
    text[0] = (char)tolower((unsigned char)text[0]);
    err_set(j->e, code_of(c->err->msg_code), "%s", text);
    longjmp(j->back, 1);
}

static void on_message(j_common_ptr c, int level)
{
    if (level < 0)
        fail(c);
}

/* Called at least once a scan; the walk has counted the scans, this guards
 * against counting otherwise than the library.  */
static void on_progress(j_common_ptr c)
{
    struct job *j = c->client_data;

    if (j->c.in.input_scan_number > JPEG_SCANS) {
        err_set(j->e, ERR_UNSUPPORTED, "more than %d scans are not read",
                JPEG_SCANS);
        longjmp(j->back, 1);
    }
}

static void prepare(struct job *j, struct err *e)
{
    j->e = e;
    j->c.common.err = jpeg_std_error(&j->mgr);
    j->c.common.client_data = j;
    j->mgr.error_exit = fail;
    j->mgr.emit_message = on_message;
}

/* Adobe's CMYK is stored inverted: here C is 255 - cyan.  */
static void from_cmyk(uint8_t *rgb, const uint8_t *cmyk, int w)
{
    for (int x = 0; x < w; x++, rgb += 3, cmyk += 4)
        for (int i = 0; i < 3; i++) {
            const unsigned t = (unsigned)cmyk[i] * cmyk[3] + 128;

            rgb[i] = (uint8_t)((t + (t >> 8)) >> 8);
        }
}

/* ---- the pixels that are wanted ---- */

enum { ROWS = 16 };

/* In the library's output: scaled.  */
struct rect {
    int x, y, w, h;
};

/* All pixels of the scaled picture that have a share in PART.  */
static struct rect covering(const struct jpeg_part *part)
{
    const int d = part->denom;
    struct rect r = {part->x / d, part->y / d, 0, 0};

    r.w = (part->x + part->w + d - 1) / d - r.x;
    r.h = (part->y + part->h + d - 1) / d - r.y;
    return r;
}

/* The next N rows, from pixel X on: to IM from its row AT.  */
static void take_rows(struct image *im, int at, const JSAMPROW *row, int n,
                      int x, int components)
{
    const size_t stride = (size_t)im->w * 3;
    uint8_t *to = im->rgb + (size_t)at * stride;

    for (int i = 0; i < n; i++, to += stride) {
        const uint8_t *from = row[i] + (size_t)x * (size_t)components;

        if (components == 4)
            from_cmyk(to, from, im->w);
        else
            memcpy(to, from, stride);
    }
}

/* Rows of the library's width, of which IM begins at pixel X.  They begin at
 * an odd address: rows that are aligned are written past the caches, and would
 * come back from memory.  */
static void read_part(struct jpeg_decompress_struct *c, struct image *im, int x)
{
    const JSAMPARRAY row = c->mem->alloc_sarray(
        (j_common_ptr)c, JPOOL_IMAGE,
        c->output_width * (JDIMENSION)c->out_color_components + 1, ROWS);

    for (int i = 0; i < ROWS; i++)
        row[i]++;
    for (int y = 0; y < im->h;) {
        const int n = im->h - y < ROWS ? im->h - y : ROWS,
                  got = (int)jpeg_read_scanlines(c, row, (JDIMENSION)n);

        take_rows(im, y, row, got, x, c->out_color_components);
        y += got;
    }
}

/* RGB of the library's width: read where it belongs.  */
static void read_rgb(struct jpeg_decompress_struct *c, struct image *im)
{
    JSAMPROW row[ROWS];

    for (int y = 0; y < im->h;) {
        const int n = im->h - y < ROWS ? im->h - y : ROWS;

        for (int i = 0; i < n; i++)
            row[i] = im->rgb + (size_t)(y + i) * (size_t)im->w * 3;
        y += (int)jpeg_read_scanlines(c, row, (JDIMENSION)n);
    }
}

/* Leave out what is not wanted, but for a MARGIN: at an edge of what is
 * decoded the smooth upsampling has no neighbour to look at, and a row of
 * less than three pixels is not upsampled smoothly.  Rows begin with pixel *X
 * of the whole.  */
static void narrow(struct jpeg_decompress_struct *c, const struct rect *r,
                   int *x)
{
    enum { MARGIN = 2 };
    const int all = (int)c->output_width;
    const int from = r->x < MARGIN ? 0 : r->x - MARGIN,
              till = r->x + r->w + MARGIN < all ? r->x + r->w + MARGIN : all;
    JDIMENSION at = (JDIMENSION)from, wide = (JDIMENSION)(till - from);

    jpeg_crop_scanline(c, &at, &wide);
    *x = (int)at;
    if (r->y)
        jpeg_skip_scanlines(c, (JDIMENSION)r->y);
}

static void read_pixels(struct jpeg_decompress_struct *c, struct image *im,
                        const struct rect *r)
{
    int x;

    narrow(c, r, &x);
    if (im->w == (int)c->output_width && c->out_color_components == 3)
        read_rgb(c, im);
    else
        read_part(c, im, r->x - x);
}

/* The parameters of full, slow inverse transform and smooth upsampling are
 * the library's defaults; written out because the pixels depend on them.  */
static int decode(struct job *j, struct image *im, const struct jpeg_info *ji,
                  const uint8_t *p, size_t n, const struct jpeg_part *part)
{
    struct jpeg_decompress_struct *c = &j->c.in;
    const struct rect r = covering(part);

    if (setjmp(j->back))
        return -1;
    jpeg_create_decompress(c);
    j->progress.progress_monitor = on_progress;
    c->progress = &j->progress;
    jpeg_mem_src(c, p, n);
    jpeg_read_header(c, TRUE);
    if ((int)c->image_width != ji->w || (int)c->image_height != ji->h)
        return err_set(j->e, ERR_FORMAT, "it has two sizes");
    c->out_color_space = c->num_components == 4 ? JCS_CMYK : JCS_RGB;
    c->dct_method = JDCT_ISLOW;
    c->do_fancy_upsampling = TRUE;
    c->scale_num = 1;
    c->scale_denom = (unsigned)part->denom;
    jpeg_start_decompress(c);
    if (image_new(im, r.w, r.h, j->e) < 0)
        return -1;
    read_pixels(c, im, &r);
    if (c->output_scanline == c->output_height)
        jpeg_finish_decompress(c);
    return 0;
}

int jpeg_decode(struct image *im, const struct jpeg_info *ji, const uint8_t *p,
                size_t n, struct jpeg_part *part, struct err *e)
{
    struct job j = {0};
    int r;

    *im = (struct image){0};
    prepare(&j, e);
    r = decode(&j, im, ji, p, n, part);
    if (r < 0) {
        const struct jpeg_source_mgr *s = j.c.in.src;

        err_in(e, "jpeg: before byte %zu", s ? n - s->bytes_in_buffer : 0);
        image_release(im);
    }
    jpeg_destroy(&j.c.common);
    return r;
}

static int encode(struct job *j, const struct image *im, int quality)
{
    struct jpeg_compress_struct *c = &j->c.out;

    if (setjmp(j->back))
        return -1;
    jpeg_create_compress(c);
    jpeg_mem_dest(c, &j->mem, &j->mem_n);
    c->image_width = (JDIMENSION)im->w;
    c->image_height = (JDIMENSION)im->h;
    c->input_components = 3;
    c->in_color_space = JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, quality, TRUE);
    jpeg_start_compress(c, TRUE);
    while (c->next_scanline < c->image_height) {
        JSAMPROW row = im->rgb + (size_t)c->next_scanline * (size_t)im->w * 3;

        jpeg_write_scanlines(c, &row, 1);
    }
    jpeg_finish_compress(c);
    return 0;
}

uint8_t *jpeg_encode(const struct image *im, int quality, size_t *n,
                     struct err *e)
{
    struct job j = {0};

    prepare(&j, e);
    if (encode(&j, im, quality) < 0) {
        err_in(e, "cannot write a JPEG of %dx%d pixels", im->w, im->h);
        free(j.mem);
        j.mem = NULL;
    }
    jpeg_destroy(&j.c.common);
    *n = j.mem_n;
    return j.mem;
}
