/* evaluate.c -- see evaluate.h.
 * SPDX-License-Identifier: MIT  */
#include "train/evaluate.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "graph/device.h"
#include "run/plan.h"
#include "tensor/tensor.h"
#include "train/metric.h"

struct evaluator {
    struct plan *plan;
    struct loader *loader;
    float *image; /* what the loader fills */
    struct evaluate_opts opts;
    struct sampler sampler;
    int64_t *target;
};

struct evaluator *evaluator_new(const struct graph *g, const struct device *d,
                                struct params *p, const struct dataset *data,
                                const struct evaluate_opts *o, struct err *e)
{
    struct evaluator *ev = xcalloc(1, sizeof *ev);
    struct loader_opts lo = {
        .pre = o->pre,
        .sampler = {.n = dataset_count(data),
                    .batch = o->batch,
                    .keep_last = 1},
        .bad = o->skip_bad ? BAD_DROP : BAD_FAIL,
        .max_bad = INT64_MAX,
        .device = o->prepare && d->preparing ? d : NULL,
        .on_bad = o->on_bad,
        .ctx = o->ctx,
    };

    ev->opts = *o;
    ev->sampler = lo.sampler;
    ev->target = xcalloc((size_t)o->batch, sizeof *ev->target);
    ev->plan = plan_new(g, d, p,
                        &(struct plan_opts){.batch = o->batch,
                                            .pool = o->pool,
                                            .narrow = o->narrow,
                                            .tuning = o->tuning},
                        e);
    if (!ev->plan) {
        evaluator_free(ev);
        return NULL;
    }
    ev->image = (lo.device ? plan_feed : plan_value)(ev->plan, "image")->data;
    ev->loader = loader_new(data, &lo);
    return ev;
}

const struct plan *evaluator_plan(const struct evaluator *ev)
{
    return ev->plan;
}

void evaluator_free(struct evaluator *ev)
{
    if (!ev)
        return;
    loader_free(ev->loader);
    plan_free(ev->plan);
    free(ev->target);
    free(ev);
}

/* The first COUNT rows of a batch, but those of pictures left out.  */
static void add_rows(const struct evaluator *ev, int64_t count,
                     struct metric *m, evaluate_fn *f, void *ctx)
{
    const float *row = plan_output(ev->plan, "logits")->data;

    for (int64_t i = 0; i < count; i++, row += m->k) {
        const int64_t index = loader_index(ev->loader, i);

        if (index < 0)
            continue;
        metric_add(m, row, ev->target[i]);
        if (f)
            f(ctx, index, row, m->k);
    }
}

static int all_bad(const struct evaluator *ev, struct err *e)
{
    const int64_t *index;
    const char *const *reason;

    loader_bad(ev->loader, &index, &reason);
    return err_set(e, ERR_INPUT,
                   "none of %lld pictures can be used; the first: %s",
                   (long long)ev->sampler.n, reason[0]);
}

int evaluator_run(struct evaluator *ev, struct metric *m, evaluate_fn *f,
                  void *ctx, struct err *e)
{
    const int64_t steps = sampler_steps(&ev->sampler);

    for (int64_t s = 0; s < steps; s++) {
        int64_t count;

        if (loader_batch(ev->loader, 0, s, ev->image, ev->target, &count,
                         ev->opts.pool, e) < 0)
            return -1;
        loader_ahead(ev->loader, 0, s + 1, ev->opts.pool);
        if (plan_run(ev->plan, NULL, e) < 0)
            return -1;
        add_rows(ev, count, m, f, ctx);
    }
    return m->n || !steps ? 0 : all_bad(ev, e);
}

int64_t evaluator_bad(const struct evaluator *ev)
{
    const int64_t *index;
    const char *const *reason;

    return loader_bad(ev->loader, &index, &reason);
}
