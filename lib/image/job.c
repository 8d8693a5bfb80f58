/* job.c -- see job.h.
 * SPDX-License-Identifier: MIT  */
#include "image/job.h"

#include <stdlib.h>

#include "base/mem.h"
#include "image/resize_taps.h"

void job_init(struct picture_job *j, int w, int h)
{
    *j = (struct picture_job){
        .box = {0, 0, w, h}, .to_w = w, .to_h = h, .w = w, .h = h};
}

void job_resize(struct picture_job *j, const struct box *box, int w, int h,
                enum resize_kernel k)
{
    j->box = *box;
    j->to_w = j->w = w;
    j->to_h = j->h = h;
    j->kernel = k;
}

void job_cut(struct picture_job *j, int x, int y, int w, int h,
             enum pad_mode edge)
{
    j->x = x;
    j->y = y;
    j->w = w;
    j->h = h;
    j->edge = edge;
}

/* ---- here ---- */

static int resizes(const struct picture_job *j, const struct image *im)
{
    return j->box.x != 0 || j->box.y != 0 || j->box.w != im->w ||
           j->box.h != im->h || j->to_w != im->w || j->to_h != im->h;
}

static int cuts(const struct picture_job *j)
{
    return j->x || j->y || j->w != j->to_w || j->h != j->to_h;
}

/* Resized and cut.  */
static int window(const struct picture_job *j, struct image *to,
                  const struct image *im, struct err *e)
{
    const struct image *from = resizes(j, im) ? to : im;
    struct image cut;
    int r = 0;

    *to = (struct image){0};
    if (from == to)
        r = resize_box(to, im, &j->box, j->to_w, j->to_h, j->kernel, e);
    else if (!cuts(j))
        r = image_copy(to, im, e);
    if (r < 0 || !cuts(j))
        return r;
    r = geometry_cut(&cut, from, j->x, j->y, j->w, j->h, j->edge, e);
    image_release(to);
    if (r == 0)
        *to = cut;
    return r;
}

int job_run(const struct picture_job *j, struct image *to,
            const struct image *im, struct err *e)
{
    if (window(j, to, im, e) < 0)
        return -1;
    if (j->flip_x)
        geometry_flip_x(to);
    if (j->flip_y)
        geometry_flip_y(to);
    for (int i = 0; i < j->n; i++)
        change_apply(to, &j->change[i]);
    return 0;
}

int job_is_nothing(const struct picture_job *j, const struct image *im)
{
    return !resizes(j, im) && !cuts(j) && !j->flip_x && !j->flip_y && !j->n;
}

/* ---- laid out ---- */

/* What one output reads.  */
struct reads {
    int first, count;
    const int32_t *weight;
};

/* Output I of T, -1 for none, but weights that are 0.  */
static struct reads reads_of(const struct taps *t, int i)
{
    struct reads r = {0};

    if (i < 0)
        return r;
    r.first = t->first[i];
    r.count = t->count[i];
    r.weight = t->weight + (size_t)i * (size_t)t->most;
    while (r.count && !r.weight[r.count - 1])
        r.count--;
    while (r.count && !*r.weight) {
        r.first++;
        r.count--;
        r.weight++;
    }
    return r;
}

/* Which of the outputs of a resize is output I of side S of the job.  */
static int resized_at(const struct picture_job *j, int s, int i)
{
    const int n = s ? j->h : j->w, flip = s ? j->flip_y : j->flip_x;

    return geometry_source((int64_t)(s ? j->y : j->x) + (flip ? n - 1 - i : i),
                           s ? j->to_h : j->to_w, j->edge);
}

static void measure(struct job_side *d, const struct picture_job *j, int s,
                    const struct taps *t)
{
    *d = (struct job_side){.n = s ? j->h : j->w, .picks = 1};
    for (int i = 0; i < d->n; i++) {
        const struct reads r = reads_of(t, resized_at(j, s, i));

        d->most = r.count > d->most ? r.count : d->most;
        d->picks &=
            r.count == 0 || (r.count == 1 && *r.weight == 1 << TAPS_BITS);
    }
}

static size_t side_words(const struct job_side *d)
{
    return (size_t)d->n * (size_t)(2 + d->most);
}

static void fill(int32_t *words, const struct job_side *d,
                 const struct picture_job *j, int s, const struct taps *t)
{
    for (int i = 0; i < d->n; i++) {
        const struct reads r = reads_of(t, resized_at(j, s, i));

        words[i] = r.first;
        words[d->n + i] = r.count;
        for (int k = 0; k < d->most; k++)
            words[(size_t)(2 + k) * (size_t)d->n + (size_t)i] =
                k < r.count ? r.weight[k] : 0;
    }
}

/* The part of the picture that side D reads.  */
static void span(struct job_flat *f, const struct job_side *d,
                 const int32_t *words)
{
    int32_t from = INT32_MAX, till = 0;

    for (int i = 0; i < d->n; i++) {
        const int32_t first = words[i], end = first + words[d->n + i];

        if (end == first)
            continue;
        from = first < from ? first : from;
        till = end > till ? end : till;
    }
    f->mid_first = till ? from : 0;
    f->mid_n = till - f->mid_first;
}

int32_t *job_lay(const struct picture_job *j, int w, int h, struct job_flat *f,
                 size_t *n)
{
    struct taps t[2];
    const int down_first =
        resize_taps(t, w, h, &j->box, j->to_w, j->to_h, j->kernel);
    int32_t *words;

    *f = (struct job_flat){
        .w = w, .h = h, .n = j->n, .mid = -1, .keep = -1, .last = !down_first};
    for (int i = 0; i < j->n; i++)
        f->change[i] = j->change[i];
    for (int s = 0; s < 2; s++)
        measure(&f->side[s], j, s, &t[s]);
    f->side[1].at = (int64_t)side_words(&f->side[0]);
    *n = (size_t)f->side[1].at + side_words(&f->side[1]);
    words = xmalloc(*n * sizeof *words);
    for (int s = 0; s < 2; s++) {
        fill(words + f->side[s].at, &f->side[s], j, s, &t[s]);
        resize_taps_release(&t[s]);
    }
    if (f->side[f->last].picks)
        f->last = !f->last;
    if (!f->side[!f->last].picks)
        span(f, &f->side[f->last], words + f->side[f->last].at);
    return words;
}

size_t job_mid_bytes(const struct job_flat *f)
{
    return 3 * (size_t)f->side[!f->last].n * (size_t)f->mid_n;
}

size_t job_keep_bytes(const struct job_flat *f)
{
    for (int i = 0; i < f->n; i++)
        if (f->change[i].kind == CHANGE_CONTRAST)
            return 3 * (size_t)f->side[0].n * (size_t)f->side[1].n;
    return 0;
}
