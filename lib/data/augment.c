/* augment.c -- see augment.h: the table of operators, and policies.
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
