/* loader.c -- see loader.h.
 * SPDX-License-Identifier: MIT  */
#include "data/loader.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "data/stage.h"
#include "image/colour.h"
#include "image/geometry.h"
#include "image/job.h"
#include "image/pack.h"

/* One place of a batch while it is filled.  */
struct slot {
    int64_t index; /* of the sample */
    int64_t label;
    int failed;
    struct err err;
};

/* A batch that is filled; what its tasks see.  */
struct job {
    struct loader *l;
    int64_t epoch, step;
    float *image; /* NULL: it is put together for a device */
    struct pool *pool;
    struct err err; /* of the device */
};

struct loader {
    const struct dataset *d;
    struct loader_opts o;
    struct slot *slot;
    int64_t *index;      /* [batch]: of the batch that was asked for last */
    struct stage *stage; /* with a device, since the first batch */
    struct thread *ahead;
    struct job job;
    int64_t *fired; /* [batch][steps of the policy] */
    int64_t *total; /* [steps of the policy] */
    int64_t pictures;
    int64_t *bad;
    const char **reason;
    int64_t n_bad, cap_bad;
    struct arena arena;
};

static int policy_length(const struct loader *l)
{
    return l->o.augment ? l->o.augment->n : 0;
}

struct loader *loader_new(const struct dataset *d, const struct loader_opts *o)
{
    struct loader *l = xcalloc(1, sizeof *l);
    const size_t batch = (size_t)o->sampler.batch;

    l->d = d;
    l->o = *o;
    l->slot = xcalloc(batch, sizeof *l->slot);
    l->index = xcalloc(batch, sizeof *l->index);
    l->fired =
        xcalloc(mem_mul(batch, (size_t)policy_length(l)) + 1, sizeof *l->fired);
    l->total = xcalloc((size_t)policy_length(l) + 1, sizeof *l->total);
    return l;
}

void loader_free(struct loader *l)
{
    if (!l)
        return;
    thread_join(l->ahead);
    stage_free(l->stage);
    free(l->slot);
    free(l->index);
    free(l->fired);
    free(l->total);
    free(l->bad);
    free(l->reason);
    arena_release(&l->arena);
    free(l);
}

static int64_t slot_floats(const struct preprocess *pre)
{
    return (int64_t)pre->channels * pre->size[0] * pre->size[1];
}

/* ---- one picture ---- */

static int pack_one(const struct preprocess *pre, const struct image *im,
                    int mirror, float *y, struct err *e)
{
    const size_t plane = (size_t)im->w * (size_t)im->h;
    struct image grey;
    float *three;

    if (pre->channels == 3) {
        pack_chw(y, im, pre->mean, pre->std, pre->bgr, mirror);
        return 0;
    }
    if (image_copy(&grey, im, e) < 0)
        return -1;
    colour_grey(&grey);
    three = xmalloc(3 * plane * sizeof *three);
    pack_chw(three, &grey, pre->mean, pre->std, 0, mirror);
    memcpy(y, three, plane * sizeof *y);
    free(three);
    image_release(&grey);
    return 0;
}

int loader_prepare(const struct preprocess *pre, const struct image *im,
                   float *y, struct err *e)
{
    struct picture_job j;
    struct image to;
    int r;

    preprocess_job(pre, im->w, im->h, &j);
    if (job_is_nothing(&j, im))
        return pack_one(pre, im, 0, y, e);
    if (job_run(&j, &to, im, e) < 0)
        return -1;
    r = pack_one(pre, &to, 0, y, e);
    image_release(&to);
    return r;
}

/* After a policy: the network's size, whatever it left.  */
static int pack_augmented(const struct preprocess *pre, struct image *im,
                          int mirror, float *y, struct err *e)
{
    const int w = pre->size[1], h = pre->size[0];
    struct image to;

    if (im->w != w || im->h != h) {
        if (mirror)
            geometry_flip_x(im);
        mirror = 0;
        if (resize(&to, im, w, h, pre->interpolation, e) < 0)
            return -1;
        image_release(im);
        *im = to;
    }
    return pack_one(pre, im, mirror, y, e);
}

/* The part of a picture that its augmentation looks at.  */
struct choice {
    struct codec_part part; /* first: choose() gets it */
    const struct loader *l;
    struct rng r;
};

static void choose(struct codec_part *p, int w, int h)
{
    const struct choice *c = (const struct choice *)p;
    struct augment_view v;

    augment_look(c->l->o.augment, w, h, &c->r, &v);
    p->x = v.x;
    p->y = v.y;
    p->w = v.w;
    p->h = v.h;
    p->min_w = c->l->o.fast_decode ? 2 * v.to_w : 0;
    p->min_h = c->l->o.fast_decode ? 2 * v.to_h : 0;
}

/* Augmented, into slot AT.  */
static int put_augmented(struct loader *l, int64_t at, struct image *im,
                         const struct choice *c, struct err *e)
{
    const struct preprocess *pre = &l->o.pre;
    struct picture_job j;

    return augment_defer(l->o.augment, im, &c->part, pre->interpolation, &c->r,
                         l->fired + at * policy_length(l), &j, e) < 0
               ? -1
               : stage_put(l->stage, at, im, &j, e);
}

static int pack_here(struct loader *l, int64_t at, struct image *im,
                     const struct choice *c, float *y, struct err *e)
{
    int mirror;

    return augment_apply(l->o.augment, im, &c->part, &c->r,
                         l->fired + at * policy_length(l), &mirror, e) < 0
               ? -1
               : pack_augmented(&l->o.pre, im, mirror, y, e);
}

static int fill_augmented(const struct job *j, int64_t at, float *y,
                          struct err *e)
{
    struct loader *l = j->l;
    const int64_t i = l->slot[at].index;
    struct choice c = {.part = {.choose = choose}, .l = l};
    const struct codec_opts co = {.exif = l->o.pre.exif, .part = &c.part};
    struct image im;
    int r;

    c.r =
        rng_at(l->o.sampler.seed, RNG_AUGMENT, (uint64_t)j->epoch, (uint64_t)i);
    if (dataset_image(l->d, i, &co, &im, e) < 0)
        return -1;
    r = y ? pack_here(l, at, &im, &c, y, e) : put_augmented(l, at, &im, &c, e);
    image_release(&im);
    return r;
}

static int fill_prepared(const struct job *j, int64_t at, float *y,
                         struct err *e)
{
    const struct preprocess *pre = &j->l->o.pre;
    const struct codec_opts co = {.exif = pre->exif};
    struct image im;
    int r;

    if (dataset_image(j->l->d, j->l->slot[at].index, &co, &im, e) < 0)
        return -1;
    r = y ? loader_prepare(pre, &im, y, e)
          : stage_put(j->l->stage, at, &im, NULL, e);
    image_release(&im);
    return r;
}

static int fill(const struct job *j, int64_t at, struct err *e)
{
    const struct loader *l = j->l;
    float *y = j->image ? j->image + at * slot_floats(&l->o.pre) : NULL;

    const char *const name = dataset_sample(l->d, l->slot[at].index).name;
    struct err quoted = {0};

    if ((l->o.augment ? fill_augmented : fill_prepared)(j, at, y, e) == 0)
        return 0;
    /* that it cannot be read names it already */
    err_set(&quoted, ERR_INPUT, "'%s'", Q(name));
    return strstr(e->msg, quoted.msg) ? -1 : err_in(e, "%s", quoted.msg);
}

static void fill_task(void *ctx, int64_t task, int thread)
{
    const struct job *j = ctx;
    struct slot *s = &j->l->slot[task];

    (void)thread;
    s->failed = 0;
    s->err = (struct err){0};
    s->index = sampler_at(&j->l->o.sampler, j->epoch, j->step, task);
    if (s->index < 0)
        return;
    s->label = dataset_sample(j->l->d, s->index).label;
    s->failed = fill(j, task, &s->err) < 0;
}

/* ---- bad samples ---- */

/* The picture is to blame, not the machine.  */
static int is_bad_sample(const struct err *e)
{
    return e->code == ERR_INPUT || e->code == ERR_FORMAT ||
           e->code == ERR_SHAPE || e->code == ERR_UNSUPPORTED;
}

/* Where INDEX stands, or belongs, in the ascending list.  */
static int64_t bad_place(const struct loader *l, int64_t index)
{
    int64_t low = 0, high = l->n_bad;

    while (low < high) {
        const int64_t mid = low + (high - low) / 2;

        if (l->bad[mid] < index)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Was it new?  */
static int record_bad(struct loader *l, int64_t index, const char *reason)
{
    const int64_t at = bad_place(l, index);
    int64_t cap = l->cap_bad;

    if (at < l->n_bad && l->bad[at] == index)
        return 0;
    ARRAY_GROW(l->reason, l->n_bad, cap);
    ARRAY_GROW(l->bad, l->n_bad, l->cap_bad);
    memmove(l->bad + at + 1, l->bad + at,
            (size_t)(l->n_bad - at) * sizeof *l->bad);
    memmove(l->reason + at + 1, l->reason + at,
            (size_t)(l->n_bad - at) * sizeof *l->reason);
    l->bad[at] = index;
    l->reason[at] = arena_strdup(&l->arena, reason);
    l->n_bad++;
    return 1;
}

void loader_set_bad(struct loader *l, int64_t index, const char *reason)
{
    record_bad(l, index, reason);
}

/* The first good slot behind AT, from the front again after the last; -1.  */
static int64_t next_good(const struct loader *l, int64_t at, int64_t n)
{
    for (int64_t k = 1; k < n; k++)
        if (!l->slot[(at + k) % n].failed)
            return (at + k) % n;
    return -1;
}

static void copy_slot(struct loader *l, float *image, int64_t to, int64_t from)
{
    const int64_t n = slot_floats(&l->o.pre);

    if (!l->stage)
        memcpy(image + to * n, image + from * n, (size_t)n * sizeof *image);
    l->slot[to].label = l->slot[from].label;
}

static int too_many(const struct loader *l, struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "%lld samples cannot be used, %lld are allowed (recipe key "
                   "train.max_bad); the first: %s",
                   (long long)l->n_bad, (long long)l->o.max_bad, l->reason[0]);
}

static void drop_failed(struct loader *l, float *image, int64_t n)
{
    const int64_t each = slot_floats(&l->o.pre);

    for (int64_t i = 0; i < n; i++) {
        if (!l->slot[i].failed)
            continue;
        if (!l->stage)
            memset(image + i * each, 0, (size_t)each * sizeof *image);
        l->slot[i].index = -1;
    }
}

static int replace_failed(struct loader *l, float *image, int64_t n,
                          struct err *e)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t from = l->slot[i].failed ? next_good(l, i, n) : i;

        if (from < 0)
            return err_set(e, ERR_INPUT,
                           "no sample of a batch can be used; the first: %s",
                           l->slot[0].err.msg);
        if (from != i)
            copy_slot(l, image, i, from);
    }
    return 0;
}

/* Slots that failed: the first is the error, or all are replaced or dropped. */
static int mend(struct loader *l, float *image, int64_t n, struct err *e)
{
    for (int64_t i = 0; i < n; i++) {
        const struct slot *s = &l->slot[i];

        if (!s->failed)
            continue;
        if (l->o.bad == BAD_FAIL || !is_bad_sample(&s->err))
            return err_set(e, s->err.code, "%s", s->err.msg);
        if (record_bad(l, s->index, s->err.msg) && l->o.on_bad)
            l->o.on_bad(l->o.ctx, s->err.msg);
    }
    if (l->n_bad > l->o.max_bad)
        return too_many(l, e);
    if (l->o.bad != BAD_DROP)
        return replace_failed(l, image, n, e);
    drop_failed(l, image, n);
    return 0;
}

/* ---- batches ---- */

static void count_fired(struct loader *l, int64_t n)
{
    const int steps = policy_length(l);

    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < steps; k++)
            l->total[k] += l->fired[i * steps + k];
    l->pictures += n;
}

static int64_t slots(const struct loader *l, int64_t step)
{
    const int64_t batch = l->o.sampler.batch, n = l->o.sampler.n - step * batch;

    return n < batch ? n : batch;
}

/* What mend() will do, for what is sent.  */
static void mend_stage(struct loader *l, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (l->slot[i].failed)
            stage_same(l->stage, i,
                       l->o.bad == BAD_DROP ? -1 : next_good(l, i, n));
    for (int64_t i = n; i < l->o.sampler.batch; i++)
        stage_same(l->stage, i, 0);
}

/* The batch L->job is filled, and sent.  */
static void fill_batch(void *ctx)
{
    struct loader *l = ctx;
    struct job *j = &l->job;
    const int64_t n = slots(l, j->step);

    memset(l->fired, 0,
           (size_t)(l->o.sampler.batch * policy_length(l)) * sizeof *l->fired);
    pool_run(j->pool, n, fill_task, j);
    if (!l->stage)
        return;
    mend_stage(l, n);
    stage_send(l->stage, j->pool, &j->err);
}

static int make_stage(struct loader *l, struct err *e)
{
    if (l->o.device && !l->stage)
        l->stage = stage_new(l->o.device, &l->o.pre, l->o.sampler.batch, e);
    return l->o.device && !l->stage ? -1 : 0;
}

/* The batch that loader_ahead() began with, or begun now.  */
static void get_batch(struct loader *l, const struct job *j)
{
    struct thread *ahead = l->ahead;

    l->ahead = NULL;
    thread_join(ahead);
    if (!ahead) {
        l->job = *j;
        fill_batch(l);
    } else if (l->job.epoch != j->epoch || l->job.step != j->step) {
        BUG("step %lld was begun, not %lld", (long long)l->job.step,
            (long long)j->step);
    }
}

static int to_device(struct loader *l, int64_t n, float *image, struct err *e)
{
    if (l->job.err.code)
        return err_set(e, l->job.err.code, "%s", l->job.err.msg);
    return stage_prepare(l->stage, n, image, e);
}

int loader_batch(struct loader *l, int64_t epoch, int64_t step, float *image,
                 int64_t *target, int64_t *count, struct pool *p, struct err *e)
{
    const struct job j = {.l = l,
                          .epoch = epoch,
                          .step = step,
                          .image = l->o.device ? NULL : image,
                          .pool = p};
    const int64_t n = slots(l, step),
                  filled = l->o.ragged ? n : l->o.sampler.batch;

    if (n <= 0)
        BUG("step %lld is behind the epoch", (long long)step);
    if (make_stage(l, e) < 0)
        return -1;
    get_batch(l, &j);
    if (mend(l, image, n, e) < 0)
        return -1;
    count_fired(l, n);
    for (int64_t i = n; i < filled; i++)
        copy_slot(l, image, i, 0);
    for (int64_t i = 0; i < filled; i++)
        target[i] = l->slot[i].label;
    for (int64_t i = 0; i < n; i++)
        l->index[i] = l->slot[i].index;
    *count = n;
    return l->stage ? to_device(l, filled, image, e) : 0;
}

void loader_ahead(struct loader *l, int64_t epoch, int64_t step, struct pool *p)
{
    if (!l->stage || l->ahead || slots(l, step) <= 0)
        return;
    l->job = (struct job){.l = l, .epoch = epoch, .step = step, .pool = p};
    l->ahead = thread_start(fill_batch, l);
}

int64_t loader_index(const struct loader *l, int64_t slot)
{
    return l->index[slot];
}

int64_t loader_bad(const struct loader *l, const int64_t **index,
                   const char *const **reason)
{
    *index = l->bad;
    *reason = l->reason;
    return l->n_bad;
}

const int64_t *loader_fired(const struct loader *l, int64_t *pictures)
{
    *pictures = l->pictures;
    return l->total;
}
