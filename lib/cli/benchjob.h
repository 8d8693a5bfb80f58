/* benchjob.h -- a model and the work that adze-benchmark measures: inference,
 * steps of training, or reading pictures.
 * SPDX-License-Identifier: MIT
 *
 *     if (benchjob_open(&j, path, &opts, &e) == 0) {
 *         struct benchjob_work w = {&j, pool, j.params};
 *
 *         j.row.batch = 8;
 *         if (benchjob_bind(&w, tuning, &e) == 0)
 *             benchjob_once(&w, &e);           as often as one likes
 *         benchjob_release(&w);
 *     }
 *     benchjob_close(&j);  */
#ifndef ADZE_CLI_BENCHJOB_H
#define ADZE_CLI_BENCHJOB_H

#include <stdint.h>

#include "cli/benchrow.h"
#include "train/feed.h"
#include "train/lossscale.h"

struct dataset;
struct device;
struct err;
struct graph;
struct model;
struct params;
struct plan;
struct pool;
struct recipe;
struct tuning;

struct benchjob_opts {
    int training;         /* steps on noise; else, without pictures, inference
                             of noise */
    const char *pictures; /* read these, and compute nothing; NULL */
    const char *device;
    int precision;         /* enum precision; 0: of training, the recipe's */
    int profile;           /* plans tell the time of each step */
    struct recipe *recipe; /* borrowed; batch and precision are set in it */
};

struct benchjob {
    const struct benchjob_opts *o; /* borrowed */
    struct model *m;
    struct graph *g; /* what runs; NULL: nothing */
    struct device *dev;
    struct params *params;
    struct dataset *data;
    double load_s;
    int narrow;          /* enum precision */
    struct benchrow row; /* what is known so far */
};

/* A job at one batch, with what its runs work on.  */
struct benchjob_work {
    struct benchjob *job;
    struct pool *pool;     /* borrowed */
    struct params *params; /* the job's, or its own (owned) */
    struct plan *plan;
    struct feed feed;
    float *image;
    int64_t *target;
    int64_t step; /* runs so far */
    struct lossscale scale;
};

/* The model at PATH, its row but for batch, threads and times.  Closed in
 * either case; on an error J->m is NULL if the model could not be read, else
 * J->dev if the device could not be opened.  */
int benchjob_open(struct benchjob *j, const char *path,
                  const struct benchjob_opts *o, struct err *e);
void benchjob_close(struct benchjob *j);

/* W has job, pool and params, the rest 0, and the job's row a batch: the rest
 * of W is made.  Released in either case.  */
int benchjob_bind(struct benchjob_work *w, const struct tuning *t,
                  struct err *e);
void benchjob_release(struct benchjob_work *w);

/* One run: a bench_fn.  ERR_NONFINITE for a step of training whose loss or
 * gradient is not finite.  */
int benchjob_once(void *work, struct err *e);

#endif
