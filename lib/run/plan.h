/* plan.h -- a graph bound to a device, a batch and memory: ready to run.
 * SPDX-License-Identifier: MIT
 *
 * Binding is done in stages, each of which plan_print() shows:
 *   fuse     nodes are grouped into steps, each with the first offer of the
 *            device that accepts it; steps that read one value are brought
 *            next to each other where a kernel does several at once
 *   layout   each value lies where its producer writes it; steps that want it
 *            otherwise read a copy, rearranged in front of the first of them
 *   memory   one block by lifetimes; views share, elementwise steps work in
 *            place, what concat puts together is written where it will stand
 *            as far as that is one run of bytes (batch 1), or where kernels can
 *            write channels among others (convolutions on a GPU)
 * (Backward nodes come from pass_differentiate() before.)  What can
 * fail fails here, but for a device that fails; running allocates nothing, but
 * that a device which can keeps its work in the second run and replays it from
 * then on (not with random ops).
 *
 *     struct plan *p = plan_new(g, dev, params, &opts, &e);
 *     fill(plan_value(p, "image"));
 *     plan_run(p, &step, &e);
 *     use(plan_output(p, "logits"));
 *
 * What is computed (kernel, fusion, chunks) depends on shapes, the
 * instruction-set level and constants (of graph/tuning.h, and in the kernels);
 * never on threads, nor on those constants that say how work is cut.  */
#ifndef ADZE_RUN_PLAN_H
#define ADZE_RUN_PLAN_H

#include <stdint.h>

#include "graph/device.h"

struct err;
struct graph;
struct params;
struct pool;
struct str;
struct tensor;
struct tuning;

/* "fp32", "bf16", "fp16", NULL: by enum precision.  */
extern const char *const plan_precisions[];

struct plan_opts {
    int64_t batch;     /* N */
    struct pool *pool; /* NULL: one thread */
    int keep_values;   /* keep every value until the end and fuse nothing:
                          for observing and comparing node by node */
    int no_fuse;
    int no_alias;    /* copy what could lie within another value */
    int no_siblings; /* nothing is done at once that could be one by one */
    int narrow;      /* enum precision of activations and products, where the
                    device has offers for it; sums and parameters stay f32 */
    int profile;     /* record the time of each step */
    const struct tuning *tuning; /* copied; NULL: the defaults */
};

struct plan;

/* Borrows G, D, P and the pool for its life.  ERR_NOMEM says how many bytes
 * were needed; ERR_UNSUPPORTED names an op without a kernel.  */
struct plan *plan_new(const struct graph *g, const struct device *d,
                      struct params *p, const struct plan_opts *o,
                      struct err *e);
void plan_free(struct plan *p);

/* The tensor of value NAME: inputs to fill, with keep_values any value;
 * BUG() if the plan does not keep it.  */
struct tensor *plan_value(struct plan *p, const char *name);
/* NULL if the plan has no such value.  */
struct tensor *plan_find(struct plan *p, const char *name);
/* Value NAME, an input or an output, stays in the memory of the device from now
 * on: plan_value() shows it as of the last plan_fetch().  */
void plan_leave(struct plan *p, const char *name);
/* Input NAME there, where it is filled from now on.  */
struct tensor *plan_feed(struct plan *p, const char *name);
int plan_fetch(struct plan *p, const char *name, struct err *e);
/* The tensor of an output of the graph by its output name.  */
struct tensor *plan_output(struct plan *p, const char *name);

/* What random ops draw from.  */
struct run_step {
    uint64_t seed, step;
};

/* Run once: all forward and backward steps.  S may be NULL if nothing is
 * random.  -1 only on devices that can fail.  */
int plan_run(struct plan *p, const struct run_step *s, struct err *e);

/* Run the update steps (running statistics, optimiser) behind a plan_run()
 * whose loss and gradients were found to be finite; packed forms of the
 * parameters that changed are made again, also those of other plans.  */
int plan_update(struct plan *p, struct err *e);

/* Bytes of the block; and what it would be for the values alone, without
 * scratch of kernels.  */
size_t plan_bytes(const struct plan *p);
size_t plan_value_bytes(const struct plan *p);

/* One line a step: its first node, ops, kernel, layout, shape and offset of the
 * result, bytes of scratch, and with profile the time in ms.  */
void plan_print(struct str *s, const struct plan *p);

/* A hash of what is computed: kernels and fusion, the constants that change it
 * and are not the defaults, and the version of adze, which stands for those in
 * the source; what histories record.  */
uint64_t plan_hash(const struct plan *p);

/* A comment line for each constant: name, value, unit, what it changes; those
 * that differ from the default say so.  */
void plan_print_tuning(struct str *s, const struct plan *p);

/* ---- steps, for profiles ---- */
struct plan_step_info {
    const char *node;   /* of the head */
    const char *kernel; /* "reference" */
    double seconds;     /* of a run, with profile; the first do not count */
    int64_t mac;        /* as the op says; the kernel may need fewer: */
    int saves;
};
int plan_steps(const struct plan *p);
struct plan_step_info plan_step(const struct plan *p, int i);

#endif
