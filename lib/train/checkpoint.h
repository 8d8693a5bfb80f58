/* checkpoint.h -- a training run as one file, from which it goes on to the same
 * bytes: see checkpoint.c for what is in it.
 * SPDX-License-Identifier: MIT  */
#ifndef ADZE_TRAIN_CHECKPOINT_H
#define ADZE_TRAIN_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct trainer;

/* Write the state as run_dir/last.st (and as epoch-N.st if EPOCH > 0); the
 * tensors of t->m->graph become the current ones.  ERR_NONFINITE rather than
 * a checkpoint with a NaN.  */
int checkpoint_save(struct trainer *t, int64_t epoch, struct err *e);

/* The parameters as they are now, on the host: ERR_NONFINITE if one is not
 * finite, so that nothing is made of them that looks like a model.  */
int checkpoint_check(struct trainer *t, struct err *e);

/* What is left of a run that ends now with a number that is not finite, for the
 * end of a message: "; the last good checkpoint is kept"; "" without a run
 * folder.  */
const char *checkpoint_kept(const struct trainer *t);

/* t->m is a checkpoint: take the state out of it.  ERR_USAGE names the recipe
 * key or data set that differs from those it was made with; of a checkpoint
 * that is older than one of the keys it can only say that the recipe is another
 * (recipe.h).  */
int checkpoint_restore(struct trainer *t, struct err *e);

/* The text of `adze.loop' alone.  */
int fuzz_checkpoint(const uint8_t *p, size_t n);

#endif
