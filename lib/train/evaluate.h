/* evaluate.h -- a network over a data set.
 * SPDX-License-Identifier: MIT
 *
 *     struct evaluator *ev = evaluator_new(graph, dev, params, data, &o, &e);
 *     evaluator_run(ev, &metric, NULL, NULL, &e);  */
#ifndef ADZE_TRAIN_EVALUATE_H
#define ADZE_TRAIN_EVALUATE_H

#include <stdint.h>

#include "data/loader.h"

struct dataset;
struct device;
struct err;
struct graph;
struct metric;
struct params;
struct plan;
struct pool;
struct tuning;

struct evaluate_opts {
    struct preprocess pre; /* the model's */
    int64_t batch;
    struct pool *pool;
    int narrow;                  /* of plan_opts */
    const struct tuning *tuning; /* likewise; read by evaluator_new() */
    int prepare;                 /* pictures on the device, if it can */
    int skip_bad; /* leave broken pictures out; else the first ends the run */
    void (*on_bad)(void *ctx, const char *reason); /* as of loader_opts */
    void *ctx;
};

struct evaluator;

/* Binds G (evaluation: no node in training) at the batch.  All arguments are
 * borrowed for the evaluator's life.  */
struct evaluator *evaluator_new(const struct graph *g, const struct device *d,
                                struct params *p, const struct dataset *data,
                                const struct evaluate_opts *o, struct err *e);
void evaluator_free(struct evaluator *ev);
const struct plan *evaluator_plan(const struct evaluator *ev);

/* Called with the logits of sample INDEX, in order, but not of those left
 * out; may be NULL.  */
typedef void evaluate_fn(void *ctx, int64_t index, const float *logits,
                         int64_t k);

/* Every sample once; M (initialised by the caller) collects those that can be
 * used: nothing depends on the batch.  ERR_FORMAT or ERR_INPUT name the broken
 * picture; with skip_bad only where all are broken.  */
int evaluator_run(struct evaluator *ev, struct metric *m, evaluate_fn *f,
                  void *ctx, struct err *e);
/* How many were left out.  */
int64_t evaluator_bad(const struct evaluator *ev);

#endif
