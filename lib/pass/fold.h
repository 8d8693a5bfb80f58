/* fold.h -- the algebra of linear branches: weights scaled, padded, added.
 * SPDX-License-Identifier: MIT
 *
 * A branch y = w * x + b (a convolution, a matrix, or the identity) and a
 * channel-wise affine map y = scale x + shift are held in double; sums and
 * products of weights are rounded once, when they are stored.
 *
 *     struct fold f;
 *     struct affine a;
 *     if (fold_load(&f, conv, e) < 0 || affine_load(&a, bn, e) < 0) ...
 *     fold_absorb(&f, &a);                     // bn(conv(x))
 *     bad = fold_store(&f, &weight, &bias, conv->name, e) < 0;
 *     affine_release(&a);
 *     fold_release(&f);  */
#ifndef ADZE_PASS_FOLD_H
#define ADZE_PASS_FOLD_H

#include <stdint.h>

#include "tensor/tensor.h"

struct err;
struct node;

/* y[c] = scale[c] x[c] + shift[c], c in [0, n).  */
struct affine {
    int64_t n;
    double *scale, *shift;
};

/* w [k, c, r, s] (c: input channels of one group), b [k].  A linear layer has
 * r = s = 1.  */
struct fold {
    int64_t k, c, r, s;
    double *w, *b;
    struct tensor keep; /* what w stands in */
};

/* What batchnorm2d node BN computes while evaluating.  ERR_NONFINITE for
 * var + eps <= 0 or a result that is not finite, naming node and channel;
 * ERR_USAGE where BN has no data yet.  */
int affine_load(struct affine *a, const struct node *bn, struct err *e);
void affine_release(struct affine *a);

/* Of a conv2d or linear node; b is 0 where it has no bias.  */
int fold_load(struct fold *f, const struct node *n, struct err *e);
/* The identity of CHANNELS channels in GROUPS groups, as a 1x1 kernel.  */
int fold_identity(struct fold *f, int64_t channels, int64_t groups,
                  struct err *e);
/* The mean under a window of R x S, one channel a group.  */
int fold_average(struct fold *f, int64_t channels, int64_t r, int64_t s,
                 struct err *e);
void fold_release(struct fold *f);

/* F, whose CHANNELS inputs lie in FROM groups, in TO groups, of which FROM is
 * a multiple: with zeros between the channels of different old groups.  */
int fold_regroup(struct fold *f, int64_t channels, int64_t from, int64_t to,
                 struct err *e);

/* BOTH: G after F, which have the same number of groups; tap i of F under tap
 * j of G is tap i + j.  F and G stay.  */
int fold_compose(struct fold *both, const struct fold *f, const struct fold *g,
                 struct err *e);

/* A after F; A has F's k channels.  */
void fold_absorb(struct fold *f, const struct affine *a);

/* F += G, whose kernel is laid into F's at tap (TOP, LEFT) and fits there;
 * equal k and c.  */
void fold_add(struct fold *f, const struct fold *g, int64_t top, int64_t left);

/* F rounded to new tensors: WEIGHT of LIKE's shape, BIAS [k].
 * ERR_NONFINITE names NODE and channel.  */
int fold_store(const struct fold *f, const struct shape *like,
               struct tensor *weight, struct tensor *bias, const char *node,
               struct err *e);

#endif
