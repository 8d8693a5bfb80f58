/* optim.h -- the optimiser as update nodes of the training graph.
 * SPDX-License-Identifier: MIT
 *
 * Its state is tensors named `adze:KIND:PARAMETER' (adze:momentum:fc.weight),
 * made as zeros; a checkpoint stores them under those names, but for averages
 * (checkpoint.c).  The learning
 * rate is the graph's input `adze:lr' [1].  The norm of all gradients is the
 * output `grad_norm': the loop looks at it before it lets the update run.
 *
 * Where the gradients are those of the loss times `adze:scale' [1]
 * (lossscale.h), an input that the graph has then, their norm and the outputs
 * "d(w)" are so too; the updates, or clipping before them, divide by it.
 *
 * With averages (model.ema), everything that a step changes in the network has
 * one, `adze:ema:TENSOR', made as the tensor is, with the share of a step as
 * input `adze:ema' [1]: parameters, and running statistics too, as timm,
 * torchvision and EfficientNet do: those of the last step are of other weights.
 * A tensor that stays as it is has none.  */
#ifndef ADZE_TRAIN_OPTIM_H
#define ADZE_TRAIN_OPTIM_H

struct err;
struct graph;
struct recipe;
struct value;

#define OPTIM_LR     "adze:lr"
#define OPTIM_SCALE  "adze:scale"
#define OPTIM_EMA    "adze:ema"
#define OPTIM_EMA_OF OPTIM_EMA ":" /* before a name: its average */

/* Add to G, which has outputs "d(w)" (pass_differentiate()), an update for
 * each of them.  */
int optim_add(struct graph *g, const struct recipe *r, struct err *e);

/* The name of the tensor of the network whose average V is; NULL if V is
 * none.  */
const char *optim_average_of(const struct value *v);

/* NETWORK reads the averages that TRAINING, a graph of optim_add() for it, has,
 * by their names.  */
void optim_read_averages(struct graph *network, const struct graph *training);

#endif
