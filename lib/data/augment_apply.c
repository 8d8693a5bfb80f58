/* augment_apply.c -- see augment.h: the walk over a policy, all of it here or
 * the last steps as a job.
 * SPDX-License-Identifier: MIT  */
#include "base/err.h"
#include "data/augment_ops.h"
#include "image/job.h"

/* ---- views: chosen from the size alone ---- */

static struct augment_view as_it_is(int w, int h)
{
    return (struct augment_view){.w = w, .h = h, .to_w = w, .to_h = h};
}

static struct augment_view choose(const struct augment *a, int k, int w, int h,
                                  const struct rng *r)
{
    const struct augment_step *s = &a->step[k];
    const struct rng own = rng_sub(r, (uint64_t)k);
    struct augment_view v = as_it_is(w, h);

    s->op->view(&v, w, h, s->v, a->size, &own);
    return v;
}

static int is_cut(const struct augment_view *v, int w, int h)
{
    return v->x || v->y || v->w != w || v->h != h;
}

static int is_resized(const struct augment_view *v)
{
    return v->to_w != v->w || v->to_h != v->h;
}

static int moves(const struct augment_view *v, int w, int h)
{
    return is_cut(v, w, h) || is_resized(v);
}

static int hangs_over(const struct augment_view *v, int w, int h)
{
    return v->x < 0 || v->y < 0 || v->w > w - v->x || v->h > h - v->y;
}

void augment_look(const struct augment *a, int w, int h, const struct rng *r,
                  struct augment_view *part)
{
    int k = 0, mirror = 0;

    *part = as_it_is(w, h);
    for (; k < a->n && a->step[k].op->view; k++) {
        *part = choose(a, k, w, h, r);
        if (moves(part, w, h))
            break;
        mirror ^= part->mirror;
    }
    if (k == a->n) { /* the network's size is all that is left to make */
        part->to_w = a->size[1];
        part->to_h = a->size[0];
    }
    if (hangs_over(part, w, h))
        *part = as_it_is(w, h);
    if (mirror)
        part->x = w - part->x - part->w;
    if (!is_resized(part))
        part->to_w = part->to_h = 0;
}

static int cut(struct image *im, const struct augment_view *v, struct err *e)
{
    struct image to;

    if (geometry_cut(&to, im, v->x, v->y, v->w, v->h, v->edge, e) < 0)
        return -1;
    augment_replace(im, &to);
    return 0;
}

/* IM is the part that is to be resized, or holds it at BOX.  */
static int resize_to(struct image *im, const struct box *box,
                     const struct augment_view *v, struct err *e)
{
    struct image to;

    if (resize_box(&to, im, box, v->to_w, v->to_h, v->kernel, e) < 0)
        return -1;
    augment_replace(im, &to);
    return 0;
}

/* ---- the walk over a policy ---- */

/* A picture on its way through the steps.  */
struct walk {
    struct image *im;
    int w, h;         /* of the picture of which IM holds a part */
    struct box box;   /* that part in IM, if it is not all of it */
    int part, scaled; /* IM is a part; BOX counts */
    int mirror;       /* it is still to be mirrored */
};

static struct walk begin(struct image *im, const struct codec_part *p)
{
    struct walk k = {.im = im, .w = im->w, .h = im->h};

    if (p) {
        k.w = p->full_w;
        k.h = p->full_h;
        k.part = p->w != p->full_w || p->h != p->full_h;
        k.box = p->box;
        k.scaled = p->box.w != p->w || p->box.h != p->h;
    }
    return k;
}

static void settle(struct walk *k)
{
    if (k->mirror) {
        geometry_flip_x(k->im);
        k->box.x = k->im->w - k->box.x - k->box.w;
    }
    k->mirror = 0;
}

/* From here on IM is the picture, but that V is still to be resized from BOX.
 * Cut first: a filter over the whole picture would see outside.  */
static int take_part(struct walk *k, const struct augment_view *v,
                     struct err *e)
{
    settle(k);
    if (is_cut(v, k->w, k->h) && !k->part && cut(k->im, v, e) < 0)
        return -1;
    if (!k->scaled)
        k->box = (struct box){0, 0, k->im->w, k->im->h};
    k->part = 0;
    return 0;
}

static int take(struct walk *k, const struct augment_view *v, struct err *e)
{
    int r = take_part(k, v, e);

    if (r == 0 && (is_resized(v) || k->scaled))
        r = resize_to(k->im, &k->box, v, e);
    k->scaled = 0;
    k->w = k->im->w;
    k->h = k->im->h;
    return r;
}

static int take_view(struct walk *k, const struct augment_view *v, int *changed,
                     struct err *e)
{
    const int moved = moves(v, k->w, k->h);

    *changed = moved || v->mirror;
    if (moved && take(k, v, e) < 0)
        return -1;
    k->mirror ^= v->mirror;
    return 0;
}

static int change(struct image *im, const struct augment_step *s,
                  const struct rng *r)
{
    struct change c[AUGMENT_CHANGES];
    const int n = s->op->changes(c, im->w, im->h, s->v, r);

    for (int i = 0; i < n; i++)
        change_apply(im, &c[i]);
    return n > 0;
}

static int take_step(const struct augment *a, int i, struct walk *k,
                     const struct rng *r, int *changed, struct err *e)
{
    const struct augment_step *s = &a->step[i];
    const struct rng own = rng_sub(r, (uint64_t)i);

    if (s->op->view) {
        const struct augment_view v = choose(a, i, k->w, k->h, r);

        return take_view(k, &v, changed, e);
    }
    settle(k);
    if (s->op->changes)
        *changed = change(k->im, s, &own);
    else if (s->op->apply(k->im, s->v, a->size, &own, changed, e) < 0)
        return -1;
    k->w = k->im->w;
    k->h = k->im->h;
    return 0;
}

/* Steps [FROM, TILL).  */
static int take_steps(const struct augment *a, int from, int till,
                      struct walk *k, const struct rng *r, int64_t *fired,
                      struct err *e)
{
    for (int i = from; i < till; i++) {
        int changed = 0;

        if (take_step(a, i, k, r, &changed, e) < 0)
            return err_in(e, "augmentation '%s'", a->step[i].op->name);
        if (fired)
            fired[i] += changed;
    }
    return 0;
}

int augment_apply(const struct augment *a, struct image *im,
                  const struct codec_part *part, const struct rng *r,
                  int64_t *fired, int *mirror, struct err *e)
{
    struct walk k = begin(im, part);

    if (take_steps(a, 0, a->n, &k, r, fired, e) < 0)
        return -1;
    if (!mirror)
        settle(&k);
    else
        *mirror = k.mirror;
    return 0;
}

/* ---- the last steps as a job ---- */

/* What a job holds while it is put together: a cut here, a resize, another
 * cut, then flips and changes.  */
struct rest {
    int w, h; /* of the picture at this point */
    int resized, cut, flip_x, flip_y, erased, n;
};

/* One step of a policy for one picture; step a->n is the network's size.  */
struct drawn {
    struct augment_view view;
    struct change change[AUGMENT_CHANGES];
    int n; /* of the changes; -1: it is a view */
};

static struct drawn draw(const struct augment *a, int i, int w, int h,
                         enum resize_kernel kernel, const struct rng *r)
{
    const struct rng own = rng_sub(r, (uint64_t)i);
    struct drawn d = {.n = -1};

    if (i == a->n) {
        d.view = as_it_is(w, h);
        d.view.to_w = a->size[1];
        d.view.to_h = a->size[0];
        d.view.kernel = kernel;
    } else if (a->step[i].op->view) {
        d.view = choose(a, i, w, h, r);
    } else {
        d.n = a->step[i].op->changes(d.change, w, h, a->step[i].v, &own);
    }
    return d;
}

static int joins_view(struct rest *t, const struct augment_view *v)
{
    if (v->mirror && t->erased)
        return 0;
    if (moves(v, t->w, t->h)) {
        if (t->n || t->flip_y ||
            (t->resized && (t->cut || t->flip_x || is_resized(v))))
            return 0;
        t->cut = t->resized;
        t->resized |= is_resized(v);
        t->flip_x = 0; /* settled */
        t->w = v->to_w;
        t->h = v->to_h;
    }
    t->flip_x ^= v->mirror;
    return 1;
}

static int joins_changes(struct rest *t, const struct change *c, int n)
{
    if (t->n + n > JOB_CHANGES)
        return 0;
    for (int i = 0; i < n; i++) {
        const int flips = c[i].kind == CHANGE_FLIP_Y;

        if (flips && t->erased)
            return 0;
        t->flip_y ^= flips;
        t->erased |= c[i].kind == CHANGE_ERASE;
        t->n += !flips;
    }
    return 1;
}

/* Whether step I can be done by a job that holds T, which then holds it.  */
static int joins(struct rest *t, const struct drawn *d)
{
    return d->n < 0 ? joins_view(t, &d->view)
                    : joins_changes(t, d->change, d->n);
}

/* The first of the last steps that are one job.  */
static int first_of_job(const struct augment *a, int w, int h,
                        enum resize_kernel kernel, const struct rng *r)
{
    struct rest t = {.w = w, .h = h};
    int from = 0;

    for (int i = 0; i <= a->n; i++) {
        const int here = i < a->n && a->step[i].op->apply;
        const struct drawn d =
            here ? (struct drawn){0} : draw(a, i, t.w, t.h, kernel, r);

        if (!here && joins(&t, &d))
            continue;
        from = i + here;
        t = (struct rest){.w = t.w, .h = t.h};
        if (!here)
            joins(&t, &d);
    }
    return from;
}

static int put_view(struct picture_job *j, struct walk *k, int *resized,
                    const struct augment_view *v, struct err *e)
{
    if (!moves(v, k->w, k->h)) {
        k->mirror ^= v->mirror;
        return 0;
    }
    if (*resized) {
        job_cut(j, v->x, v->y, v->w, v->h, v->edge);
    } else {
        if (take_part(k, v, e) < 0)
            return -1;
        job_init(j, k->im->w, k->im->h);
        *resized = is_resized(v);
        if (*resized)
            job_resize(j, &k->box, v->to_w, v->to_h, v->kernel);
    }
    k->w = v->to_w;
    k->h = v->to_h;
    k->mirror ^= v->mirror;
    return 0;
}

static void put_changes(struct picture_job *j, const struct drawn *d)
{
    for (int i = 0; i < d->n; i++)
        if (d->change[i].kind == CHANGE_FLIP_Y)
            j->flip_y ^= 1;
        else
            j->change[j->n++] = d->change[i];
}

int augment_defer(const struct augment *a, struct image *im,
                  const struct codec_part *part, enum resize_kernel kernel,
                  const struct rng *r, int64_t *fired, struct picture_job *j,
                  struct err *e)
{
    struct walk k = begin(im, part);
    const int from = first_of_job(a, k.w, k.h, kernel, r);
    int resized = 0;

    if (take_steps(a, 0, from, &k, r, fired, e) < 0)
        return -1;
    job_init(j, im->w, im->h);
    for (int i = from; i <= a->n; i++) {
        const struct drawn d = draw(a, i, k.w, k.h, kernel, r);

        if (fired && i < a->n)
            fired[i] +=
                d.n < 0 ? moves(&d.view, k.w, k.h) || d.view.mirror : d.n > 0;
        if (d.n < 0 && put_view(j, &k, &resized, &d.view, e) < 0)
            return -1;
        put_changes(j, &d);
    }
    j->flip_x = k.mirror;
    return 0;
}

int augment_here(const struct augment *a)
{
    int n = a->n;

    while (n && !a->step[n - 1].op->apply)
        n--;
    return n;
}
