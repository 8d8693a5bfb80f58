/* feed.h -- the batches that a recipe asks for: how training reads pictures.
 * SPDX-License-Identifier: MIT
 *
 * Which pictures a step gets, and how they are changed, is a function of the
 * recipe's seed, the epoch and the step: a resumed run opens a feed anew and
 * asks the loader for any of them.  */
#ifndef ADZE_TRAIN_FEED_H
#define ADZE_TRAIN_FEED_H

#include <stdint.h>

#include "data/augment.h"
#include "data/sampler.h"
#include "format/preprocess.h"

struct dataset;
struct device;
struct err;
struct loader;
struct recipe;

struct feed {
    struct augment augment; /* the recipe's, at the network's size */
    struct sampler sampler;
    int64_t steps;         /* an epoch */
    struct loader *loader; /* NULL: not open */
};

struct feed_opts {
    struct preprocess pre;                         /* the model's */
    void (*on_bad)(void *ctx, const char *reason); /* as of loader_opts */
    void *ctx;
    const struct device *device; /* likewise */
    const char *batch; /* what sets the batch, for messages; NULL: the key */
};

/* Batches of D as R says.  Borrows D and R's policy.  ERR_USAGE: there are
 * fewer pictures than a batch has.  */
int feed_open(struct feed *f, const struct dataset *d,
              const struct feed_opts *o, const struct recipe *r, struct err *e);
void feed_close(struct feed *f);

#endif
