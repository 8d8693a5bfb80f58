/* trainer.h -- the state of a training run: shared by loop.c (what happens
 * when) and checkpoint.c (what is remembered).
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TRAIN_TRAINER_H
#define ADZE_TRAIN_TRAINER_H

#include "base/hash.h"
#include "train/feed.h"
#include "train/loop.h"
#include "train/lossscale.h"
#include "train/rundir.h"

struct evaluator;
struct graph;
struct params;
struct plan;

struct trainer {
    struct model *m;
    const struct train_opts *o;
    const struct recipe *r;

    struct graph *graph; /* network, loss, gradients, updates */
    struct graph *eval;  /* the network as it is evaluated */
    struct params *params;
    struct plan *plan, *tail; /* tail: of a last batch that is not full */
    struct feed feed;
    struct evaluator *evaluator;
    int64_t *target;

    /* what a checkpoint remembers besides tensors */
    int64_t step; /* done */
    double loss;  /* sums over the running epoch */
    int64_t seen, right;
    struct lossscale scale;
    struct train_row *row;
    int64_t n_row, cap_row;
    double best; /* top-1; -1: none yet */
    int64_t best_step;
    char start[HASH_TEXT]; /* fingerprints: the model that training began */
    char data[HASH_TEXT], valid[HASH_TEXT]; /* with, and the data sets */

    struct graph *best_graph;
    struct rundir dir;
    double epoch_start, data_seconds;
};

#endif
