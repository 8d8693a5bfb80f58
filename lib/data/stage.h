/* stage.h -- pictures on their way to a device that prepares them.
 * SPDX-License-Identifier: MIT
 *
 * A batch is put together slot by slot, sent, and made a network's input:
 *
 *     struct stage *s = stage_new(dev, &pre, batch, &e);
 *     stage_put(s, 0, &im, &job, &e); ...         from many threads
 *     stage_send(s, pool, &e);                    while the device computes
 *     stage_prepare(s, batch, input, &e);         when it has done that
 *
 * There is room for two batches, so that one is put together while the other is
 * used.  A picture that takes more than its share of STAGE_BYTES, of a whole
 * batch, is resized here before, which changes no bit.  */
#ifndef ADZE_DATA_STAGE_H
#define ADZE_DATA_STAGE_H

#include <stdint.h>

#include "format/preprocess.h"

struct device;
struct err;
struct image;
struct picture_job;
struct pool;

#define STAGE_BYTES ((size_t)512 << 20)

struct stage;

/* Batches of N for D, which has `preparing'.  */
struct stage *stage_new(const struct device *d, const struct preprocess *pre,
                        int64_t n, struct err *e);
void stage_free(struct stage *s);

/* SLOT gets IM, which is taken, and what J makes of it, of PRE's size; NULL:
 * what PRE does.  */
int stage_put(struct stage *s, int64_t slot, struct image *im,
              const struct picture_job *j, struct err *e);
/* SLOT is like FROM, or all zeros if that is below 0.  */
void stage_same(struct stage *s, int64_t slot, int64_t from);

/* Every slot must be filled.  */
int stage_send(struct stage *s, struct pool *p, struct err *e);

/* The first N slots of what was sent, to Y [n,C,H,W] f32 in the memory of the
 * device; then the other batch is put together.  */
int stage_prepare(struct stage *s, int64_t n, float *y, struct err *e);

#endif
