/* head.h -- the end of a network: what gives the logits.
 * SPDX-License-Identifier: MIT
 *
 * The classifiers of a network are the layers behind which no other stands on
 * the way to the output `logits': one, or one a branch (a distilled vision
 * transformer has two).  */
#ifndef ADZE_FORMAT_HEAD_H
#define ADZE_FORMAT_HEAD_H

#include <stdint.h>

struct err;
struct graph;
struct value;

/* Is V a parameter of a classifier, or of a linear layer or convolution right
 * in front of one, as head_embed() puts there.  */
int head_has(const struct graph *g, const struct value *v);

/* What the first classifier reads; NULL if there is none.  */
struct value *head_input(const struct graph *g);

/* Put a layer of WIDTH outputs with a bias and no activation, `embedding', in
 * front of each classifier, or behind the output `features'.  G has no data
 * yet.  ERR_FORMAT where a classifier is no linear layer or convolution.  */
int head_embed(struct graph *g, int64_t width, struct err *e);

/* G with classifiers of CLASSES outputs, whose parameters, and those of what
 * head_has() counts to them, have no data; it shares all other tensors.
 * ERR_UNSUPPORTED where G has no classifier, or others while it trains, where
 * one is no linear layer or convolution, or where what stands behind it fixes
 * how many there are.  */
struct graph *head_renew(const struct graph *g, int64_t classes, struct err *e);

/* G was read without its classifiers: its output `logits' is `features' now,
 * and outputs of training go.  */
void head_cut(struct graph *g);

#endif
