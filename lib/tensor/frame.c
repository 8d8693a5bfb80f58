/* frame.c -- see frame.h.
 * SPDX-License-Identifier: MIT  */
#include "tensor/frame.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "tensor/safetensors.h"

enum { FRAMES, SAMPLES, LISTS }; /* the lists of numbers per epoch */

static const char *const list_key[LISTS] = {"frames", "samples"};

/* Append the numbers of a finished epoch to the lists.  */
static void close_epoch(struct str *counts, int64_t frames, int64_t samples)
{
    const int64_t n[LISTS] = {frames, samples};

    for (int k = 0; k < LISTS; k++)
        str_printf(&counts[k], "%s%lld", counts[k].len ? "," : "",
                   (long long)n[k]);
}

static struct str *counts_new(void)
{
    return xcalloc(LISTS, sizeof(struct str));
}

static void counts_free(struct str *counts)
{
    for (int k = 0; counts && k < LISTS; k++)
        str_release(&counts[k]);
    free(counts);
}

/* ---- what a frame is ---- */

static int is_image(const struct tensor *t)
{
    return t->shape.rank == 4 &&
           (t->dtype == DTYPE_U8 || t->dtype == DTYPE_F32);
}

static int is_target(const struct tensor *t)
{
    return (t->shape.rank == 1 && t->dtype == DTYPE_I64) ||
           (t->shape.rank == 2 && t->dtype == DTYPE_F32);
}

static const struct part {
    const char *name, *want;
    int (*fits)(const struct tensor *t);
} part[] = {
    {"image", "4 dimensions of u8 or f32", is_image},
    {"target", "[N] of i64 or [N,K] of f32", is_target},
};

/* The tensors of a frame: `image' must be there, `target' may; both have one
 * row per sample.  *N: how many.  */
static int check_tensors(const struct set *s, int64_t *n, struct err *e)
{
    *n = -1;
    for (size_t i = 0; i < COUNT(part); i++) {
        const struct tensor *t = set_get(s, part[i].name);

        if (!t && i)
            continue;
        if (!t)
            return err_set(e, ERR_FORMAT, "frame has no tensor '%s'",
                           part[i].name);
        if (!part[i].fits(t))
            return err_set(e, ERR_SHAPE, "frame: '%s' is %s of %s, not %s",
                           part[i].name, ST(&t->shape), dtype_name(t->dtype),
                           part[i].want);
        if (*n >= 0 && t->shape.dim[0] != *n)
            return err_set(e, ERR_SHAPE, "frame: %lld images, but %lld targets",
                           (long long)*n, (long long)t->shape.dim[0]);
        *n = t->shape.dim[0];
    }
    return 0;
}

/* ---- writing ---- */

int frame_writer_init(struct frame_writer *w, struct out *o)
{
    *w = (struct frame_writer){.out = o, .counts = counts_new()};
    return 0;
}

/* Metadata stand in this order in a file, others behind.  */
static int meta_rank(const char *key)
{
    static const char *const order[] = {
        "adze.format", "adze.kind", "layout", "epoch", "names", "preprocess"};
    int i = 0;

    while (i < (int)COUNT(order) && strcmp(order[i], key) != 0)
        i++;
    return i;
}

static void sort_meta(struct set *s)
{
    for (int64_t i = 1; i < s->n_meta; i++) {
        const struct set_meta m = s->meta[i];
        int64_t k = i;

        for (; k && meta_rank(s->meta[k - 1].key) > meta_rank(m.key); k--)
            s->meta[k] = s->meta[k - 1];
        s->meta[k] = m;
    }
}

static void put_number(struct set *s, const char *key, int64_t v)
{
    struct str t = {0};

    str_printf(&t, "%lld", (long long)v);
    set_meta_put(s, key, str_text(&t));
    str_release(&t);
}

int frame_write(struct frame_writer *w, struct set *s, int64_t epoch,
                int64_t samples, struct err *e)
{
    int64_t n;

    if (epoch < w->epoch)
        BUG("frame of epoch %lld behind epoch %lld", (long long)epoch,
            (long long)w->epoch);
    if (check_tensors(s, &n, e) < 0)
        return -1;
    if (n != samples)
        BUG("frame of %lld samples has %lld", (long long)samples, (long long)n);
    if (!set_meta_get(s, "layout"))
        BUG("frame without a layout");
    if (epoch > w->epoch && w->frames) {
        close_epoch(w->counts, w->frames, w->samples);
        w->frames = w->samples = 0;
    }
    w->epoch = epoch;
    w->frames++;
    w->samples += samples;
    set_meta_put(s, "adze.format", "1");
    set_meta_put(s, "adze.kind", "frame");
    put_number(s, "epoch", epoch);
    sort_meta(s);
    return safetensors_write(s, w->out, 1, e);
}

int frame_end(struct frame_writer *w, struct err *e)
{
    struct set s;
    int r;

    set_init(&s);
    if (w->frames)
        close_epoch(w->counts, w->frames, w->samples);
    set_meta_put(&s, "adze.format", "1");
    set_meta_put(&s, "adze.kind", "end");
    for (int k = 0; k < LISTS; k++) {
        struct str t = {0};

        str_printf(&t, "[%s]", str_text(&w->counts[k]));
        set_meta_put(&s, list_key[k], str_text(&t));
        str_release(&t);
    }
    r = safetensors_write(&s, w->out, 1, e);
    set_release(&s);
    counts_free(w->counts);
    *w = (struct frame_writer){0};
    return r;
}

/* ---- reading ---- */

int frame_reader_init(struct frame_reader *r, struct in *in)
{
    *r = (struct frame_reader){.in = in, .counts = counts_new()};
    return 0;
}

void frame_reader_release(struct frame_reader *r)
{
    counts_free(r->counts);
    *r = (struct frame_reader){0};
}

static int check_format(const struct set *s, struct err *e)
{
    const char *v = set_meta_get(s, "adze.format");
    int64_t format;

    if (!v)
        return err_set(e, ERR_FORMAT,
                       "no frame of a tensor stream: it has no "
                       "'adze.format'");
    if (parse_i64(v, 1, INT64_MAX, &format) < 0)
        return err_set(e, ERR_FORMAT, "'adze.format' is '%s', not a number",
                       Q(v));
    return format > 1
               ? err_set(e, ERR_UNSUPPORTED,
                         "frame of format %s; this adze reads format 1", Q(v))
               : 0;
}

static int take_frame(struct frame_reader *r, const struct set *s,
                      struct err *e)
{
    const char *layout = set_meta_get(s, "layout");
    const char *text = set_meta_get(s, "epoch");
    int64_t epoch, n;

    if (!text || parse_i64(text, 0, INT64_MAX, &epoch) < 0)
        return err_set(e, ERR_FORMAT, "frame: 'epoch' is '%s', not a number",
                       Q(text ? text : ""));
    if (!layout || (strcmp(layout, "NCHW") != 0 && strcmp(layout, "NHWC") != 0))
        return err_set(e, ERR_FORMAT,
                       "frame: 'layout' is '%s', not NCHW or NHWC",
                       Q(layout ? layout : ""));
    if (r->open && epoch < r->epoch)
        return err_set(e, ERR_FORMAT, "frame of epoch %lld behind epoch %lld",
                       (long long)epoch, (long long)r->epoch);
    if (check_tensors(s, &n, e) < 0)
        return -1;
    if (r->open && epoch > r->epoch) {
        close_epoch(r->counts, r->frames, r->samples);
        r->frames = r->samples = 0;
    }
    r->epoch = epoch;
    r->frames++;
    r->samples += n;
    r->open = 1;
    return 1;
}

/* TEXT without blanks is the list COUNTS.  */
static int same_list(const char *text, const struct str *counts)
{
    struct str bare = {0}, want = {0};
    int same;

    for (; *text; text++)
        if (*text != ' ')
            str_addc(&bare, *text);
    str_printf(&want, "[%s]", str_text(counts));
    same = !strcmp(str_text(&bare), str_text(&want));
    str_release(&bare);
    str_release(&want);
    return same;
}

static int take_end(struct frame_reader *r, const struct set *s, struct err *e)
{
    if (r->open)
        close_epoch(r->counts, r->frames, r->samples);
    for (int k = 0; k < LISTS; k++) {
        const char *text = set_meta_get(s, list_key[k]);

        if (!text || !same_list(text, &r->counts[k]))
            return err_set(e, ERR_FORMAT,
                           "end frame says %s %s, but the stream had [%s]",
                           list_key[k], Q(text ? text : "nothing"),
                           str_text(&r->counts[k]));
        str_clear(&r->counts[k]);
    }
    r->open = 0;
    r->frames = r->samples = r->epoch = 0;
    return 0;
}

/* 1 for a frame, 0 for an end frame, -1.  */
static int take_document(struct frame_reader *r, const struct set *s,
                         struct err *e)
{
    const char *kind = set_meta_get(s, "adze.kind");

    if (check_format(s, e) < 0)
        return -1;
    if (kind && !strcmp(kind, "frame"))
        return take_frame(r, s, e);
    if (kind && !strcmp(kind, "end"))
        return take_end(r, s, e);
    return err_set(e, ERR_FORMAT, "a '%s' where a frame should be",
                   Q(kind ? kind : "file of unknown kind"));
}

int frame_read(struct frame_reader *r, struct set *s, struct err *e)
{
    for (;;) {
        const int64_t start = r->in->offset;
        const int there = safetensors_read_next(s, r->in, e);
        int kind;

        if (!there && (r->open || !start))
            return err_set(e, ERR_FORMAT,
                           "the tensor stream ends without an end frame: its "
                           "writer did not finish");
        if (there <= 0)
            return there;
        kind = take_document(r, s, e);
        if (kind == 1)
            return 1;
        set_release(s);
        if (kind < 0)
            return err_in(e, "document at offset %lld", (long long)start);
    }
}

int fuzz_frame(const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct frame_reader r;
    struct in in;
    struct set s;
    int got;

    in_memory(&in, p, n);
    frame_reader_init(&r, &in);
    while ((got = frame_read(&r, &s, &e)) > 0)
        set_release(&s);
    frame_reader_release(&r);
    in_close(&in);
    return got;
}
