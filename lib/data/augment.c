/* augment.c -- see augment.h: the table of operators and the walk over a
 * policy.
 * SPDX-License-Identifier: MIT  */
#include "data/augment.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/augment_ops.h"

/* clang-format off */
const struct augment_op *const augment_ops[] = {
    &augment_center_crop,
    &augment_color_jitter,
    &augment_cutout,
    &augment_flip,
    &augment_flip_y,
    &augment_gaussian_blur,
    &augment_grey,
    &augment_pad_crop,
    &augment_random_crop,
    &augment_random_erasing,
    &augment_random_resized_crop,
    &augment_resize,
    &augment_rotate,
    NULL};
/* clang-format on */

/* ---- shared by the operators ---- */

double augment_between(const struct rng *r, uint64_t i, double low, double high)
{
    return low + (high - low) * (double)rng_uniform(r, i);
}

int augment_coin(const struct rng *r, uint64_t i, double p)
{
    return (double)rng_uniform(r, i) < p;
}

void augment_replace(struct image *im, struct image *to)
{
    image_release(im);
    *im = *to;
    *to = (struct image){0};
}

/* ---- policies ---- */

const struct augment_op *augment_find(const char *name)
{
    for (int i = 0; augment_ops[i]; i++)
        if (!strcmp(augment_ops[i]->name, name))
            return augment_ops[i];
    return NULL;
}

double *augment_add(struct augment *a, const struct augment_op *op)
{
    struct augment_step *s;

    ARRAY_GROW(a->step, a->n, a->cap);
    s = &a->step[a->n++];
    *s = (struct augment_step){.op = op};
    for (int i = 0; op->arg[i].name; i++)
        s->v[i] = op->arg[i].def;
    return s->v;
}

static int no_argument(const struct augment_op *op, const char *name,
                       struct err *e)
{
    const char *names[AUGMENT_ARGS + 1] = {NULL};
    const char *near;

    for (int i = 0; op->arg[i].name; i++)
        names[i] = op->arg[i].name;
    near = NEAR(name, names);
    if (*near || !names[0])
        return err_set(e, ERR_USAGE, "augmentation '%s' has no argument '%s'%s",
                       op->name, Q(name), near);
    return err_set(e, ERR_USAGE,
                   "augmentation '%s' has no argument '%s', only %s", op->name,
                   Q(name), NAMES(names));
}

static int set_choice(const struct augment_op *op, const struct augment_arg *g,
                      double *v, const char *text, struct err *e)
{
    const int i = str_index(text, g->choices);

    if (i < 0)
        return err_set(e, ERR_USAGE,
                       "'%s' of augmentation '%s' is one of %s, not '%s'",
                       g->name, op->name, NAMES(g->choices), Q(text));
    *v = i;
    return 0;
}

static int set_number(const struct augment_op *op, const struct augment_arg *g,
                      double *v, const char *text, struct err *e)
{
    char low[FMT_NUM], high[FMT_NUM];
    int64_t i;

    if (g->kind == 'i' &&
        parse_i64(text, (int64_t)g->min, (int64_t)g->max, &i) == 0) {
        *v = (double)i;
        return 0;
    }
    if (g->kind == 'f' && parse_f64(text, g->min, g->max, v) == 0)
        return 0;
    return err_set(e, ERR_USAGE,
                   "'%s' of augmentation '%s' is a %snumber from %s to %s, not "
                   "'%s'",
                   g->name, op->name, g->kind == 'i' ? "whole " : "",
                   fmt_f64(low, g->min), fmt_f64(high, g->max), Q(text));
}

int augment_set(struct augment *a, const char *name, const char *text,
                struct err *e)
{
    struct augment_step *s = &a->step[a->n - 1];
    const struct augment_arg *g = s->op->arg;
    int i = 0;

    while (g[i].name && strcmp(g[i].name, name) != 0)
        i++;
    if (!g[i].name)
        return no_argument(s->op, name, e);
    return g[i].kind == 'c' ? set_choice(s->op, &g[i], &s->v[i], text, e)
                            : set_number(s->op, &g[i], &s->v[i], text, e);
}

void augment_release(struct augment *a)
{
    free(a->step);
    *a = (struct augment){0};
}

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
        if (is_cut(part, w, h) || is_resized(part))
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

/* The part of IM from (X, Y); what lies outside is made by EDGE.  */
static int cut(struct image *im, const struct augment_view *v, struct err *e)
{
    static const uint8_t black[3];
    struct image wide, to;
    const int left = v->x < 0 ? -v->x : 0, top = v->y < 0 ? -v->y : 0;
    const int right = v->x + v->w > im->w ? v->x + v->w - im->w : 0;
    const int bottom = v->y + v->h > im->h ? v->y + v->h - im->h : 0;
    int r;

    if (v->edge == PAD_CONSTANT || !hangs_over(v, im->w, im->h)) {
        if (geometry_crop(&to, im, v->x, v->y, v->w, v->h, black, e) < 0)
            return -1;
        augment_replace(im, &to);
        return 0;
    }
    if (geometry_pad(&wide, im, left, top, right, bottom, v->edge, black, e) <
        0)
        return -1;
    r = geometry_crop(&to, &wide, v->x + left, v->y + top, v->w, v->h, black,
                      e);
    image_release(&wide);
    if (r == 0)
        augment_replace(im, &to);
    return r;
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

/* From here on IM is the picture.  Cut first, then resize: a filter over the
 * whole picture would see outside.  */
static int take(struct walk *k, const struct augment_view *v, struct err *e)
{
    int r = 0;

    settle(k);
    if (is_cut(v, k->w, k->h) && !k->part)
        r = cut(k->im, v, e);
    if (!k->scaled)
        k->box = (struct box){0, 0, k->im->w, k->im->h};
    if (r == 0 && (is_resized(v) || k->scaled))
        r = resize_to(k->im, &k->box, v, e);
    k->part = k->scaled = 0;
    k->w = k->im->w;
    k->h = k->im->h;
    return r;
}

static int take_view(struct walk *k, const struct augment_view *v, int *changed,
                     struct err *e)
{
    const int moves = is_cut(v, k->w, k->h) || is_resized(v);

    *changed = moves || v->mirror;
    if (moves && take(k, v, e) < 0)
        return -1;
    k->mirror ^= v->mirror;
    return 0;
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
    if (s->op->apply(k->im, s->v, a->size, &own, changed, e) < 0)
        return -1;
    k->w = k->im->w;
    k->h = k->im->h;
    return 0;
}

int augment_apply(const struct augment *a, struct image *im,
                  const struct codec_part *part, const struct rng *r,
                  int64_t *fired, int *mirror, struct err *e)
{
    struct walk k = begin(im, part);

    for (int i = 0; i < a->n; i++) {
        int changed = 0;

        if (take_step(a, i, &k, r, &changed, e) < 0)
            return err_in(e, "augmentation '%s'", a->step[i].op->name);
        if (fired)
            fired[i] += changed;
    }
    if (!mirror)
        settle(&k);
    else
        *mirror = k.mirror;
    return 0;
}
