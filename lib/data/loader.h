/* loader.h -- batches: read, decode, augment or preprocess, stack.
 * SPDX-License-Identifier: MIT
 *
 * A batch is filled by one parallel loop of the pool; slot I of batch B of
 * epoch E is a function of (data set, seed, E, B, I) alone.  No threads of
 * its own, no shared memory, no fork.  */
#ifndef ADZE_DATA_LOADER_H
#define ADZE_DATA_LOADER_H

#include <stdint.h>

#include "data/augment.h"
#include "data/dataset.h"
#include "data/sampler.h"
#include "format/preprocess.h"

struct device;
struct err;
struct pool;

/* What a picture that cannot be used does: it is the error; a good one of its
 * batch stands for it, so that batches stay full, as training wants; it is
 * left out, as measuring wants.  */
enum bad_policy { BAD_FAIL, BAD_SKIP, BAD_DROP };

struct loader_opts {
    struct preprocess pre;         /* the model's */
    const struct augment *augment; /* NULL: preprocessing only (resize, centre
                                      crop); else its result must have the
                                      input's size, else it is resized */
    struct sampler sampler;
    enum bad_policy bad;
    int64_t max_bad; /* more than this many bad samples in a run: ERR_INPUT */
    int ragged;      /* a last batch that is not full is not filled up */
    const struct device *device; /* prepares the pictures, and has IMAGE in its
                                    memory; NULL: the CPU */
    int fast_decode; /* a JPEG that is resized first is scaled in the DCT
                        domain, while the part that is wanted keeps twice the
                        size that it will get */
    /* Told of each bad sample, once, in slot order; may be NULL.  */
    void (*on_bad)(void *ctx, const char *reason);
    void *ctx;
};

struct loader;
struct loader *loader_new(const struct dataset *d, const struct loader_opts *o);
void loader_free(struct loader *l);

/* Fill IMAGE [batch,C,H,W] f32 and TARGET [batch] i64 with step STEP of
 * EPOCH.  COUNT: how many slots are samples (the rest, of a last batch, repeat
 * slot 0 and count for nothing, or are not touched: `ragged').  A bad sample
 * is, under BAD_SKIP, replaced by the next good one of the same batch (as
 * augmented; deterministic) and recorded; under BAD_DROP its slot holds zeros;
 * under BAD_FAIL the first one in slot order is the error.  */
int loader_batch(struct loader *l, int64_t epoch, int64_t step, float *image,
                 int64_t *target, int64_t *count, struct pool *p,
                 struct err *e);

/* The next loader_batch() will ask for STEP of EPOCH: with a device, begin with
 * it in another thread, which uses P until then.  */
void loader_ahead(struct loader *l, int64_t epoch, int64_t step,
                  struct pool *p);

/* The sample in SLOT < count of the batch that was filled last; -1: a bad
 * one, dropped.  */
int64_t loader_index(const struct loader *l, int64_t slot);

/* Bad samples so far: the index list, ascending, each once.  */
int64_t loader_bad(const struct loader *l, const int64_t **index,
                   const char *const **reason);

/* A sample that was found bad before: counts, and is listed, like one found
 * here.  For runs that are resumed.  */
void loader_set_bad(struct loader *l, int64_t index, const char *reason);

/* How often each step of the policy changed a picture, of how many pictures.
 */
const int64_t *loader_fired(const struct loader *l, int64_t *pictures);

/* One picture through preprocessing alone (infer): Y holds C*H*W floats.  */
int loader_prepare(const struct preprocess *pre, const struct image *im,
                   float *y, struct err *e);

#endif
