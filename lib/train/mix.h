/* mix.h -- mixup and cutmix: batches whose pictures are joined in pairs, and
 * their classes too.
 * SPDX-License-Identifier: MIT
 *
 * The network of a recipe that mixes reads what op `mix' makes of the picture,
 * and its loss the joined classes; what a step joins are further inputs of the
 * graph, drawn here: a pure function of the seed and the step.
 *
 *     mixup    x = l x_i + (1 - l) x_j
 *     cutmix   x = x_i, but a box with 1 - l of its pixels is that of x_j
 *     classes  t = l t_i + (1 - l) t_j, for cutmix l as the box came out
 *
 * with l drawn from Beta(alpha, alpha) and i, j by a permutation, both once a
 * batch, as the papers' authors do.  A batch that is not mixed has l = 1.
 * Zhang et al., "mixup", ICLR 2018; Yun et al., "CutMix", ICCV 2019, section
 * 3.1.  */
#ifndef ADZE_TRAIN_MIX_H
#define ADZE_TRAIN_MIX_H

#include <stdint.h>

struct err;
struct graph;
struct plan;
struct pool;
struct recipe;
struct shape;
struct value;

/* Some batches are mixed.  */
int mix_is_on(const struct recipe *r);

/* What reads the picture in G, a network, reads mixed ones.  */
int mix_pictures(struct graph *g, struct err *e);

/* The rows [N,CLASSES] for the classes TARGET [N] of graph G, mixed.  */
struct value *mix_classes(struct graph *g, struct value *target,
                          int64_t classes, struct err *e);

/* What step STEP, of an epoch of STEPS, joins, into the inputs of P; nothing
 * where R does not mix.  */
void mix_draw(const struct recipe *r, int64_t step, int64_t steps,
              struct plan *p);

/* To pictures X [N,C,H,W] of the host what step STEP, of an epoch of STEPS,
 * does to a batch of N: to look at.  */
int mix_apply(const struct recipe *r, int64_t step, int64_t steps, float *x,
              const struct shape *s, struct pool *pool, struct err *e);

/* The class of most of picture I: its own, TARGET[I], or that of its pair.  */
int64_t mix_class(struct plan *p, const int64_t *target, int64_t i);

#endif
