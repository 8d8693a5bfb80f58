/* benchjob.c -- see benchjob.h.
 * SPDX-License-Identifier: MIT  */
#include "cli/benchjob.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "cli/io.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "format/model.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "pass/pass.h"
#include "run/bench.h"
#include "run/params.h"
#include "run/plan.h"
#include "train/graph.h"
#include "train/recipe.h"

/* ---- numbers to work on ---- */

/* Noise, or labels of the network's classes.  */
static void noise(struct tensor *t, int64_t classes)
{
    const struct rng r = rng_at(1, RNG_BENCH, 0, 0);

    for (int64_t i = 0; i < tensor_count(t); i++)
        if (t->dtype == DTYPE_F32)
            ((float *)t->data)[i] = (float)rng_normal(&r, (uint64_t)i);
        else
            ((int64_t *)t->data)[i] =
                (int64_t)rng_below(&r, (uint64_t)i, (uint64_t)classes);
}

/* Noise in the input NAME, which stays on the device: what sends pictures does
 * so beside the work.  */
static int fill_input(struct benchjob_work *w, const char *name,
                      int64_t classes, struct err *e)
{
    const struct device *d = w->job->dev;
    struct tensor *host = plan_value(w->plan, name);
    struct tensor *there = plan_feed(w->plan, name);

    noise(host, classes);
    return d->put ? d->put(d, there->data, host->data, tensor_bytes(host), e)
                  : 0;
}

/* ---- inference ---- */

static struct graph *infer_graph(const struct benchjob *j, struct err *e)
{
    return pass_simplify(j->m->graph, e);
}

static int infer_prepare(struct benchjob_work *w, struct err *e)
{
    w->scale = lossscale_new(w->job->o->recipe);
    return fill_input(w, "image", 0, e);
}

static int infer(void *ctx, struct err *e)
{
    struct benchjob_work *w = ctx;

    return plan_run(w->plan, NULL, e);
}

/* ---- training ---- */

static struct graph *training_graph(const struct benchjob *j, struct err *e)
{
    return train_graph(j->m->graph, j->o->recipe, e);
}

static int train_prepare(struct benchjob_work *w, struct err *e)
{
    w->scale = lossscale_new(w->job->o->recipe);
    return fill_input(w, "image", 0, e) < 0
               ? -1
               : fill_input(w, "target", model_head(w->job->m), e);
}

/* At rate 0 all is done that a step does, and the numbers stay as they are:
 * many steps on one batch of noise could end in some that are none.  */
static int train(void *ctx, struct err *e)
{
    struct benchjob_work *w = ctx;
    const struct run_step rs = {(uint64_t)w->job->o->recipe->seed,
                                (uint64_t)w->step++};
    char loss[FMT_NUM], norm[FMT_NUM];
    struct train_result r;
    int bad;

    do
        bad = train_step(w->plan, &rs,
                         (struct train_rates){.scale = w->scale.value}, &r, e);
    while (bad > 0 && isfinite(r.loss) && lossscale_halve(&w->scale));
    if (bad > 0)
        return err_set(e, ERR_NONFINITE, "loss %s, gradient norm %s",
                       fmt_f32(loss, (float)r.loss),
                       fmt_f32(norm, (float)r.norm));
    return bad;
}

/* ---- reading pictures ---- */

static int load_prepare(struct benchjob_work *w, struct err *e)
{
    struct benchjob *j = w->job;
    const struct preprocess *pre = &j->m->pre;
    const struct feed_opts fo = {.pre = *pre, .batch = "-b"};
    const size_t batch = (size_t)j->row.batch;

    j->o->recipe->batch = j->row.batch;
    j->o->recipe->last = 0; /* every batch is full */
    if (feed_open(&w->feed, j->data, &fo, j->o->recipe, e) < 0)
        return -1;
    w->image = xcalloc(mem_mul(batch, (size_t)(pre->channels * pre->size[0]) *
                                          (size_t)pre->size[1]),
                       sizeof *w->image);
    w->target = xcalloc(batch, sizeof *w->target);
    return 0;
}

static int load(void *ctx, struct err *e)
{
    struct benchjob_work *w = ctx;
    const int64_t steps = w->feed.steps, at = w->step++;
    int64_t count;

    return loader_batch(w->feed.loader, at / steps, at % steps, w->image,
                        w->target, &count, w->pool, e);
}

/* ---- which of them ---- */

static const struct mode {
    struct graph *(*graph)(const struct benchjob *,
                           struct err *); /* NULL: none */
    struct plan *(*plan)(const struct graph *, const struct device *,
                         struct params *, const struct plan_opts *,
                         struct err *);
    int (*prepare)(struct benchjob_work *, struct err *);
    bench_fn *once;
} mode_infer = {infer_graph, plan_new, infer_prepare, infer},
  mode_train = {training_graph, train_plan, train_prepare, train},
  mode_load = {NULL, NULL, load_prepare, load};

static const struct mode *mode_of(const struct benchjob *j)
{
    return j->o->training   ? &mode_train
           : j->o->pictures ? &mode_load
                            : &mode_infer;
}

int benchjob_bind(struct benchjob_work *w, const struct tuning *t,
                  struct err *e)
{
    struct benchjob *j = w->job;
    const struct plan_opts po = {.batch = j->row.batch,
                                 .pool = w->pool,
                                 .profile = j->o->profile,
                                 .narrow = j->narrow,
                                 .tuning = t};

    if (j->g && !(w->plan = mode_of(j)->plan(j->g, j->dev, w->params, &po, e)))
        return -1;
    return mode_of(j)->prepare(w, e);
}

int benchjob_once(void *work, struct err *e)
{
    struct benchjob_work *w = work;

    return mode_of(w->job)->once(w, e);
}

void benchjob_release(struct benchjob_work *w)
{
    feed_close(&w->feed);
    plan_free(w->plan);
    if (w->params != w->job->params)
        params_free(w->params);
    free(w->image);
    free(w->target);
}

/* ---- a model ---- */

static void count(struct benchjob *j)
{
    static const char *const dtype[] = {"f32", "bf16", "f16"};

    j->row.dtype = j->g && pass_quantized(j->g) ? "int8" : dtype[j->narrow];
    for (int i = 0; j->g && i < j->g->n_value; i++)
        if (value_is_learned(j->g->value[i]))
            j->row.params += shape_count(&j->g->value[i]->shape);
    for (int i = 0; j->g && i < j->g->n_node; i++)
        j->row.mac += node_mac(j->g->node[i]);
}

static int open_graph(struct benchjob *j, struct err *e)
{
    const int training = j->o->training, precision = j->o->precision;

    if (!mode_of(j)->graph)
        return 0;
    if (training && precision)
        j->o->recipe->precision = precision;
    j->g = mode_of(j)->graph(j, e);
    j->params = !j->g      ? NULL
                : training ? params_new(j->g, j->dev, e)
                           : params_share(j->g, j->dev, e);
    if (!j->params)
        return -1;
    j->narrow = io_narrow(training ? j->o->recipe->precision : precision, j->g,
                          j->dev, e);
    return j->narrow < 0 ? -1 : 0;
}

int benchjob_open(struct benchjob *j, const char *path,
                  const struct benchjob_opts *o, struct err *e)
{
    const struct dataset_opts any = {.unlabelled = 1};
    const double start = clock_now();

    *j = (struct benchjob){.o = o};
    j->m = io_plain_model(path, e);
    if (!j->m)
        return -1;
    if (mode_of(j)->graph && !(j->dev = io_device(o->device, e)))
        return -1;
    if (open_graph(j, e) < 0)
        return err_in(e, "'%s'", Q(path));
    if (o->pictures && !(j->data = dataset_open(o->pictures, &any, e)))
        return -1;
    j->load_s = clock_now() - start;
    j->row.model = path;
    j->row.reads = o->pictures != NULL;
    count(j);
    return 0;
}

void benchjob_close(struct benchjob *j)
{
    dataset_free(j->data);
    params_free(j->params);
    io_device_free(j->dev);
    graph_free(j->g);
    model_free(j->m);
}
