/* branch.c -- see branch.h.
 * SPDX-License-Identifier: MIT
 *
 * The pieces of the algebra are the six transforms of Ding et al., "Diverse
 * Branch Block", CVPR 2021.  */
#include "pass/branch.h"

#include <string.h>

#include "base/err.h"
#include "graph/graph.h"
#include "pass/fold.h"
#include "pass/match.h"

/* ---- what is linear ---- */

static int is_linear(const struct node *n)
{
    (void)n;
    return 1;
}

static int bn_linear(const struct node *n)
{
    return !n->train && n->in[0]->shape.rank == 4;
}

static int average_linear(const struct node *n)
{
    const int64_t *p = attr_ints(n, "pad", NULL);

    return !attr_int(n, "ceil_mode") &&
           (attr_int(n, "count_include_pad") || !(p[0] | p[1] | p[2] | p[3]));
}

/* The direction along which N cuts, negative where that is none.  */
static int slice_direction(const struct node *n)
{
    const int axis = (int)attr_int(n, "axis");

    return n->in[0]->shape.rank == 4 ? (axis < 0 ? axis + 4 : axis) - 2 : -1;
}

static int slice_linear(const struct node *n)
{
    return slice_direction(n) >= 0;
}

static int pad_linear(const struct node *n)
{
    return !strcmp(attr_str(n, "mode"), "constant") &&
           attr_real(n, "value") == 0;
}

/* ---- where it reads ---- */

static struct taps at_place(const struct node *n, int d)
{
    (void)n, (void)d;
    return (struct taps){1, 1, 1, 0, 0};
}

static struct taps window_taps_of(const struct node *n, int d)
{
    const int64_t *pad = attr_ints(n, "pad", NULL);

    return (struct taps){
        .kernel = attr_ints(n, "kernel", NULL)[d],
        .stride = attr_ints(n, "stride", NULL)[d],
        .dilation = attr_index(n->op, "dilation") < 0
                        ? 1
                        : attr_ints(n, "dilation", NULL)[d],
        .pad = pad[d],
        .border = pad[d] || pad[d + 2],
    };
}

static struct taps slice_taps(const struct node *n, int d)
{
    struct taps t = at_place(n, d);

    if (slice_direction(n) == d) {
        t.pad = -attr_int(n, "start");
        t.border = 1;
    }
    return t;
}

static struct taps pad_taps(const struct node *n, int d)
{
    const int64_t *pad = attr_ints(n, "pad", NULL);
    struct taps t = at_place(n, d);

    t.pad = pad[d];
    t.border = pad[d] || pad[d + 2];
    return t;
}

/* ---- the weights ---- */

static int64_t channels(const struct node *n)
{
    return n->in[0]->shape.dim[1];
}

/* F becomes LAST, in GROUPS_OF_LAST groups, behind F.  */
static int follow(struct fold *f, struct fold *last, const struct node *n,
                  int64_t of_last, int64_t groups, struct err *e)
{
    struct fold both = {0};

    if (fold_regroup(last, channels(n), of_last, groups, e) < 0)
        return -1;
    if (!f->w) {
        *f = *last;
        *last = (struct fold){0};
        return 0;
    }
    if (fold_compose(&both, f, last, e) < 0)
        return -1;
    fold_release(f);
    *f = both;
    return 0;
}

static int load_conv(struct fold *f, const struct node *n, int64_t groups,
                     struct err *e)
{
    struct fold one = {0};
    const int bad = fold_load(&one, n, e) < 0 ||
                    follow(f, &one, n, attr_int(n, "groups"), groups, e) < 0;

    fold_release(&one);
    return bad ? -1 : 0;
}

static int load_average(struct fold *f, const struct node *n, int64_t groups,
                        struct err *e)
{
    const int64_t *k = attr_ints(n, "kernel", NULL);
    struct fold one = {0};
    const int bad = fold_average(&one, channels(n), k[0], k[1], e) < 0 ||
                    follow(f, &one, n, channels(n), groups, e) < 0;

    fold_release(&one);
    return bad ? -1 : 0;
}

static int load_bn(struct fold *f, const struct node *n, int64_t groups,
                   struct err *e)
{
    struct affine a = {0};
    const int bad = (!f->w && fold_identity(f, channels(n), groups, e) < 0) ||
                    affine_load(&a, n, e) < 0;

    if (!bad)
        fold_absorb(f, &a);
    affine_release(&a);
    return bad ? -1 : 0;
}

static int load_nothing(struct fold *f, const struct node *n, int64_t groups,
                        struct err *e)
{
    (void)f, (void)n, (void)groups, (void)e;
    return 0;
}

/* ---- the table ---- */

static const struct kind {
    const char *op;
    int (*linear)(const struct node *n);
    struct taps (*taps)(const struct node *n, int d);
    int (*load)(struct fold *f, const struct node *n, int64_t groups,
                struct err *e);
    int apart; /* keeps all channels apart; else as many as it has groups */
} kinds[] = {
    {"conv2d", is_linear, window_taps_of, load_conv, 0},
    {"batchnorm2d", bn_linear, at_place, load_bn, 1},
    {"avgpool2d", average_linear, window_taps_of, load_average, 1},
    {"slice", slice_linear, slice_taps, load_nothing, 1},
    {"pad", pad_linear, pad_taps, load_nothing, 1},
};

static const struct kind *kind_of(const struct node *n)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (match_op(n, kinds[i].op))
            return kinds[i].linear(n) ? &kinds[i] : NULL;
    return NULL;
}

/* ---- a run ---- */

/* T becomes NEXT behind T.  CONSTANT: T gives something where it reads
 * nothing but zeros.  */
static int extend(struct taps *t, const struct taps *next, int constant)
{
    const int64_t step = next->dilation * t->stride;

    if (next->border && (constant || t->border || t->kernel > 1))
        return 0;
    if (t->kernel > 1 && next->kernel > 1 && t->dilation != step)
        return 0;
    if (next->kernel > 1)
        t->dilation = step;
    t->pad += next->pad * t->stride;
    t->kernel += next->kernel - 1;
    t->stride *= next->stride;
    t->border |= next->border;
    return 1;
}

static int gives_constant(const struct node *n)
{
    return match_op(n, "batchnorm2d") ||
           (match_op(n, "conv2d") && attr_int(n, "bias"));
}

static int measure(struct branch *b)
{
    int constant = 0;

    for (int d = 0; d < 2; d++)
        b->taps[d] = at_place(NULL, d);
    for (int i = 0; i < b->n; i++) {
        const struct kind *k = kind_of(b->part[i]);

        for (int d = 0; d < 2; d++) {
            const struct taps next = k->taps(b->part[i], d);

            if (!extend(&b->taps[d], &next, constant))
                return 0;
        }
        constant |= gives_constant(b->part[i]);
    }
    return 1;
}

int branch_find(struct branch *b, const struct graph *g, struct value *v,
                struct value *source)
{
    struct node *back[BRANCH_PARTS];

    *b = (struct branch){.source = source};
    for (; v != source; v = back[b->n++]->in[0]) {
        struct node *n = v->node;

        if (b->n == BRANCH_PARTS || !n || v->out || !match_reader(g, v) ||
            !kind_of(n))
            return 0;
        back[b->n] = n;
    }
    for (int i = 0; i < b->n; i++)
        b->part[i] = back[b->n - 1 - i];
    return measure(b);
}

int branch_conv(struct branch *b, const struct graph *g, struct value *v)
{
    struct node *n = match_source(g, v, "batchnorm2d");
    struct node *conv =
        match_source(g, n && bn_linear(n) ? n->in[0] : v, "conv2d");

    return conv && branch_find(b, g, v, conv->in[0]);
}

int branch_has_groups(const struct branch *b, int64_t groups)
{
    for (int i = 0; i < b->n; i++) {
        const struct node *n = b->part[i];
        const int64_t own =
            kind_of(n)->apart ? channels(n) : attr_int(n, "groups");

        if (own % groups)
            return 0;
    }
    return b->source->shape.dim[1] % groups == 0;
}

int branch_load(const struct branch *b, struct fold *f, int64_t groups,
                struct err *e)
{
    memset(f, 0, sizeof *f);
    for (int i = 0; i < b->n; i++)
        if (kind_of(b->part[i])->load(f, b->part[i], groups, e) < 0)
            return -1;
    return f->w ? 0 : fold_identity(f, b->source->shape.dim[1], groups, e);
}
