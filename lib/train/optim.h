/* optim.h -- the optimiser as update nodes of the training graph.
 * SPDX-License-Identifier: MIT
 *
 * Its state is tensors named `adze:KIND:PARAMETER' (adze:momentum:fc.weight),
 * made as zeros; a checkpoint stores them under those names.  The learning
 * rate is the graph's input `adze:lr' [1].  The norm of all gradients is the
 * output `grad_norm': the loop looks at it before it lets the update run.  */
#ifndef ADZE_TRAIN_OPTIM_H
#define ADZE_TRAIN_OPTIM_H

struct err;
struct graph;
struct recipe;

/* Add to G, which has outputs "d(w)" (pass_differentiate()), an update for
 * each of them.  */
int optim_add(struct graph *g, const struct recipe *r, struct err *e);

#endif
