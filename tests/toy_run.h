/* toy_run.h -- a toy network (toy.h) bound to a device, ready for steps of
 * training.
 * SPDX-License-Identifier: MIT
 *
 * Included as "../toy_run.h".  */
#ifndef ADZE_TESTS_TOY_RUN_H
#define ADZE_TESTS_TOY_RUN_H

#include "train/recipe.h"

struct device;
struct graph;
struct params;
struct plan;
struct plan_opts;

struct toy_run {
    struct recipe recipe;
    struct device *device;
    struct graph *network, *graph; /* graph: of the step */
    struct params *params;
    struct plan *plan;
};

/* NETWORK by toy_recipe() with MORE, bound as O says and filled; takes NETWORK
 * and D.  */
void toy_start(struct toy_run *r, struct graph *network, struct device *d,
               const char *const *more, const struct plan_opts *o);
void toy_end(struct toy_run *r);

/* Pictures of noise times SCALE, and classes in turn, into the inputs.  */
void toy_fill(struct plan *p, float scale);

#endif
