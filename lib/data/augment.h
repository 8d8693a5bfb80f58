/* augment.h -- the augmentation pipeline: a list of operators, each a function
 * of (picture, parameters, random stream).
 * SPDX-License-Identifier: MIT
 *
 * A policy is parsed from text such as
 *     [{pad_crop: {pad: 4}}, flip, {color_jitter: {brightness: 0.4}}]
 * by whoever reads recipes; here it is a list of records with values.  The
 * stream is rng_at(seed, RNG_AUGMENT, epoch, sample) and each operator takes
 * its own sub-stream by position, so nothing depends on order or thread.  */
#ifndef ADZE_DATA_AUGMENT_H
#define ADZE_DATA_AUGMENT_H

#include <stdint.h>

#include "base/rng.h"
#include "image/change.h"
#include "image/codec.h"
#include "image/geometry.h"
#include "image/image.h"
#include "image/resize.h"

struct err;
struct picture_job;

enum { AUGMENT_ARGS = 12, AUGMENT_CHANGES = 4 };

struct augment_arg {
    const char *name;
    char kind; /* f number, i integer, c choice (index into `choices') */
    double def, min, max;
    const char *const *choices;
    const char *help;
};

/* A part of a picture, which may hang over its edges, and what becomes of it:
 * resized, then perhaps mirrored.  */
struct augment_view {
    int x, y, w, h;
    enum pad_mode edge; /* what lies outside; black if constant */
    int to_w, to_h;
    enum resize_kernel kernel;
    int mirror; /* left and right change places */
};

struct augment_op {
    const char *name; /* "random_resized_crop" */
    const char *brief;
    const struct augment_arg *arg; /* ended by a NULL name */
    /* One of the three that follow.  V: values in the order of `arg'.  SIZE:
     * the network's input (h, w).  What `view' and `changes' say as data a GPU
     * can do (augment_defer()); an operator that has `apply' runs on the CPU,
     * and so do those in front of it.  */
    /* Change IM in place.  Sets *FIRED if the picture was changed.  */
    int (*apply)(struct image *im, const double *v, const int size[2],
                 const struct rng *r, int *fired, struct err *e);
    /* Choose, from the size W x H of a picture alone.  S comes as the picture
     * is: whole, of its size.  */
    void (*view)(struct augment_view *s, int w, int h, const double *v,
                 const int size[2], const struct rng *r);
    /* Draw from the size W x H alone what is done, in this order: how many, at
     * most AUGMENT_CHANGES.  */
    int (*changes)(struct change *to, int w, int h, const double *v,
                   const struct rng *r);
};

/* All operators, NULL-ended; also the source of adze-recipe(5)'s table.  */
extern const struct augment_op *const augment_ops[];
const struct augment_op *augment_find(const char *name);

struct augment {
    struct augment_step {
        const struct augment_op *op;
        double v[AUGMENT_ARGS];
    } * step;
    int n, cap;
    int size[2];
};

/* Append OP with its defaults; returns the step's values to be changed.  */
double *augment_add(struct augment *a, const struct augment_op *op);
/* Set argument NAME of the last step from text: ERR_USAGE with the range or
 * the nearest name.  */
int augment_set(struct augment *a, const char *name, const char *text,
                struct err *e);
void augment_release(struct augment *a);

/* The part of a picture of W x H pixels that the first steps look at, into
 * PART, before it is decoded: X Y W H; TO_W and TO_H are the size that it
 * gets next, 0 if it keeps its own.  */
void augment_look(const struct augment *a, int w, int h, const struct rng *r,
                  struct augment_view *part);

/* Apply all steps; FIRED counts per step (may be NULL), length a->n.  PART:
 * of what IM is a part, chosen by augment_look(); NULL: it is whole.  With
 * MIRROR a last flip is not done but told.  */
int augment_apply(const struct augment *a, struct image *im,
                  const struct codec_part *part, const struct rng *r,
                  int64_t *fired, int *mirror, struct err *e);

/* The same, then the network's size by KERNEL, but that the last steps, as many
 * as one job can do, are left to J (image/job.h).  */
int augment_defer(const struct augment *a, struct image *im,
                  const struct codec_part *part, enum resize_kernel kernel,
                  const struct rng *r, int64_t *fired, struct picture_job *j,
                  struct err *e);
/* How many of the first steps no job can do.  */
int augment_here(const struct augment *a);

#endif
