/* branch.h -- a run of linear nodes as one convolution.
 * SPDX-License-Identifier: MIT
 *
 * Convolution, batch normalisation (evaluation), an average under a window,
 * and zeros put around a picture or its outermost places cut off are linear;
 * so is a run of them, unless a later one puts zeros around what an earlier
 * one gives there.  With padding p and dilation d, tap j reads the input at
 * output stride - p + j d; behind a window of stride s and padding q that is
 * output stride s - (p s + q) + j d s.
 *
 *     struct branch b;
 *     if (branch_find(&b, g, add->in[1], x)) ...
 *         bad = branch_load(&b, &fold, groups, e) < 0;  */
#ifndef ADZE_PASS_BRANCH_H
#define ADZE_PASS_BRANCH_H

#include <stdint.h>

struct err;
struct fold;
struct graph;
struct node;
struct value;

/* Geometry along one direction.  */
struct taps {
    int64_t kernel, stride, dilation, pad;
    int border; /* the border is not that of the source */
};

enum { BRANCH_PARTS = 16 };

struct branch {
    struct value *source;
    struct node *part[BRANCH_PARTS]; /* from the source on; each is read by
                                        the next one alone */
    int n;                           /* 0: the source itself */
    struct taps taps[2];             /* down, across */
};

/* The run of linear nodes from SOURCE to V, which one node reads; 0 if there
 * is none, or if it is no convolution.  */
int branch_find(struct branch *b, const struct graph *g, struct value *v,
                struct value *source);

/* The convolution that gives V, with the batch normalisation behind it; 0 if
 * V is given otherwise.  */
int branch_conv(struct branch *b, const struct graph *g, struct value *v);

/* The branch keeps GROUPS groups of channels apart.  */
int branch_has_groups(const struct branch *b, int64_t groups);

/* F: the weights of B in GROUPS groups.  F is released by the caller, also
 * after an error; those of fold_load() and affine_load().  */
int branch_load(const struct branch *b, struct fold *f, int64_t groups,
                struct err *e);

#endif
