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
#include "image/image.h"

struct err;

enum { AUGMENT_ARGS = 12 };

struct augment_arg {
    const char *name;
    char kind; /* f number, i integer, c choice (index into `choices') */
    double def, min, max;
    const char *const *choices;
    const char *help;
};

struct augment_op {
    const char *name; /* "random_resized_crop" */
    const char *brief;
    const struct augment_arg *arg; /* ended by a NULL name */
    /* Change IM in place.  V: values in the order of `arg'.  SIZE: the
     * network's input (h, w).  Sets *FIRED if the picture was changed.  */
    int (*apply)(struct image *im, const double *v, const int size[2],
                 const struct rng *r, int *fired, struct err *e);
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

/* Apply all steps; FIRED counts per step (may be NULL), length a->n.  */
int augment_apply(const struct augment *a, struct image *im,
                  const struct rng *r, int64_t *fired, struct err *e);

#endif
