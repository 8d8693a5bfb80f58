/* stage.c -- see stage.h.
 * SPDX-License-Identifier: MIT
 *
 * What is sent is one piece: jobs, words, pixels.  */
#include "data/stage.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/thread.h"
#include "graph/device.h"
#include "image/job.h"
#include "image/pack.h"

struct slot {
    struct image im;
    struct job_flat flat; /* w 0: zeros */
    int32_t *words;
    size_t n_words, words_at, pixels_at;
    int64_t like; /* the slot whose picture this is */
};

struct stage {
    const struct device *d;
    struct preprocess pre;
    int64_t n;
    struct slot *slot;
    struct parcel parcel[2];
    struct job_batch sent[2]; /* as it was sent */
    int at;                   /* which of them is next */
    size_t scratch_need, scratch_bytes;
    void *scratch;
    float *value; /* of the device */
};

/* The number of each byte in each channel of the result: what pack_chw() makes
 * of a picture of all of them.  */
static int send_values(struct stage *s, struct err *e)
{
    float value[3][256];
    uint8_t rgb[3 * 256];
    const struct image im = {256, 1, rgb};

    for (int i = 0; i < 3 * 256; i++)
        rgb[i] = (uint8_t)(i / 3);
    pack_chw(value[0], &im, s->pre.mean, s->pre.std, 0, 0);
    s->value = s->d->alloc(s->d, sizeof value, e);
    return !s->value || s->d->put(s->d, s->value, value, sizeof value, e) < 0 ||
                   s->d->finish(s->d, e) < 0
               ? -1
               : 0;
}

struct stage *stage_new(const struct device *d, const struct preprocess *pre,
                        int64_t n, struct err *e)
{
    struct stage *s = xcalloc(1, sizeof *s);

    s->d = d;
    s->pre = *pre;
    s->n = n;
    s->slot = xcalloc((size_t)n, sizeof *s->slot);
    if (send_values(s, e) == 0)
        return s;
    stage_free(s);
    return NULL;
}

static void empty(struct slot *s)
{
    image_release(&s->im);
    free(s->words);
    *s = (struct slot){0};
}

void stage_free(struct stage *s)
{
    if (!s)
        return;
    for (int64_t i = 0; i < s->n; i++)
        empty(&s->slot[i]);
    for (int i = 0; i < 2; i++)
        if (s->parcel[i].there)
            s->d->preparing->parcel_free(s->d, &s->parcel[i]);
    if (s->value)
        s->d->release(s->d, s->value, 3 * 256 * sizeof *s->value);
    if (s->scratch)
        s->d->release(s->d, s->scratch, s->scratch_bytes);
    free(s->slot);
    free(s);
}

/* ---- a batch is put together ---- */

static size_t image_bytes(const struct image *im)
{
    return 3 * (size_t)im->w * (size_t)im->h;
}

static void lay(struct slot *t, int64_t slot, const struct picture_job *j)
{
    t->like = slot;
    t->words = job_lay(j, t->im.w, t->im.h, &t->flat, &t->n_words);
}

static size_t slot_bytes(const struct slot *t)
{
    return image_bytes(&t->im) + job_mid_bytes(&t->flat) +
           t->n_words * sizeof *t->words;
}

/* A picture that is too large: what J makes of it, here.  */
static int lay_small(struct slot *t, int64_t slot, const struct picture_job *j,
                     struct err *e)
{
    struct picture_job nothing;
    struct image small;

    if (job_run(j, &small, &t->im, e) < 0)
        return -1;
    empty(t);
    t->im = small;
    job_init(&nothing, small.w, small.h);
    lay(t, slot, &nothing);
    return 0;
}

int stage_put(struct stage *s, int64_t slot, struct image *im,
              const struct picture_job *j, struct err *e)
{
    struct slot *t = &s->slot[slot];
    struct picture_job own;

    if (!j)
        preprocess_job(&s->pre, im->w, im->h, &own);
    j = j ? j : &own;
    empty(t);
    t->im = *im;
    *im = (struct image){0};
    lay(t, slot, j);
    return slot_bytes(t) > STAGE_BYTES / (size_t)s->n ? lay_small(t, slot, j, e)
                                                      : 0;
}

void stage_same(struct stage *s, int64_t slot, int64_t from)
{
    struct slot *t = &s->slot[slot];

    empty(t);
    t->like = from < 0 ? slot : s->slot[from].like;
}

/* ---- it is sent ---- */

static size_t take(size_t *at, size_t bytes)
{
    const size_t here = *at;

    *at += (bytes + 63) / 64 * 64;
    return here;
}

/* Where everything goes: the bytes of the parcel.  */
static size_t arrange(struct stage *s, struct job_batch *b)
{
    size_t at = 0, scratch = 0;

    *b = (struct job_batch){.n = s->n};
    take(&at, (size_t)s->n * sizeof *b->job);
    for (int64_t i = 0; i < s->n; i++) {
        struct slot *t = &s->slot[i];
        const struct job_flat *flat = &s->slot[t->like].flat;
        const size_t mid = job_mid_bytes(flat), keep = job_keep_bytes(flat);

        t->words_at = take(&at, t->n_words * sizeof *t->words);
        t->pixels_at = take(&at, image_bytes(&t->im));
        t->flat.mid = mid ? (int64_t)take(&scratch, mid) : -1;
        t->flat.keep = keep ? (int64_t)take(&scratch, keep) : -1;
        b->mids |= mid > 0;
        b->keeps |= keep > 0;
    }
    s->scratch_need = scratch;
    return at;
}

/* What a task of sending sees.  */
struct fill {
    struct stage *s;
    char *to;
};

static void fill_slot(void *ctx, int64_t i, int thread)
{
    const struct fill *f = ctx;
    struct slot *t = &f->s->slot[i];
    struct job_flat *flat = (struct job_flat *)f->to + i;

    (void)thread;
    if (t->like != i)
        return;
    *flat = t->flat;
    flat->pixels = (int64_t)t->pixels_at;
    for (int k = 0; k < 2; k++)
        flat->side[k].at += (int64_t)(t->words_at / sizeof *t->words);
    if (!t->words)
        return;
    memcpy(f->to + t->words_at, t->words, t->n_words * sizeof *t->words);
    memcpy(f->to + t->pixels_at, t->im.rgb, image_bytes(&t->im));
}

static int make_room(struct stage *s, struct parcel *p, size_t bytes,
                     struct err *e)
{
    if (bytes <= p->bytes)
        return 0;
    if (p->there)
        s->d->preparing->parcel_free(s->d, p);
    return s->d->preparing->parcel_new(s->d, p, bytes + bytes / 4, e);
}

int stage_send(struct stage *s, struct pool *pool, struct err *e)
{
    struct parcel *p = &s->parcel[s->at];
    const size_t bytes = arrange(s, &s->sent[s->at]);
    struct fill f = {.s = s};
    struct job_flat *flat;

    if (make_room(s, p, bytes, e) < 0)
        return -1;
    f.to = p->host;
    flat = p->host;
    pool_run(pool, s->n, fill_slot, &f);
    for (int64_t i = 0; i < s->n; i++) {
        const struct slot *t = &s->slot[i];

        flat[i] = flat[t->like];
        flat[i].mid = t->flat.mid;
        flat[i].keep = t->flat.keep;
    }
    for (int64_t i = 0; i < s->n; i++)
        empty(&s->slot[i]);
    return s->d->preparing->send(s->d, p, bytes, e);
}

/* ---- it is prepared ---- */

static int make_scratch(struct stage *s, struct err *e)
{
    if (s->scratch_need <= s->scratch_bytes)
        return 0;
    if (s->scratch)
        s->d->release(s->d, s->scratch, s->scratch_bytes);
    s->scratch_bytes = s->scratch_need + s->scratch_need / 4;
    s->scratch = s->d->alloc(s->d, s->scratch_bytes, e);
    s->scratch_bytes = s->scratch ? s->scratch_bytes : 0;
    return s->scratch ? 0 : -1;
}

int stage_prepare(struct stage *s, int64_t n, float *y, struct err *e)
{
    struct job_batch b = s->sent[s->at];
    const char *there = s->parcel[s->at].there;

    if (make_scratch(s, e) < 0)
        return -1;
    b.n = n;
    b.job = (const void *)there;
    b.words = (const void *)there;
    b.bytes = (const void *)there;
    b.scratch = s->scratch;
    b.w = s->pre.size[1];
    b.h = s->pre.size[0];
    b.channels = s->pre.channels;
    b.bgr = s->pre.bgr;
    b.value = s->value;
    b.y = y;
    s->d->preparing->prepare(s->d, &b);
    s->at = !s->at;
    return 0;
}
